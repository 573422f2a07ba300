"""A closed form that tells estimates of the hypergradient apart: the lower problem is a bowl with
curvatures 1 to 0.05 along tilted axes, and F depends on lam itself too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.seeds import generator
from benchmark.space import Float, Lam, Space

State = NDArray[np.float64]
_CURVATURES = (1.0, 0.5, 0.2, 0.05)
_SIDE = 0.1  # of F's own dependence on lam


class Bowl:
    """State: y, (n,), n = len(curvatures), each in (0, 1]. x: lam's native values, (3,).

    G = (y - B x)^T H (y - B x) / 2, F = |y - t|^2 / 2 + |x - c|^2 / 20. A step is gradient descent
    of step size 1. It has the oracles of a task and nothing else.
    """

    space = Space(tuple(Float(name, -2, 2, default=0.5) for name in "abc"))

    def __init__(
        self, seed: int, horizon: int = 400, curvatures: Sequence[float] = _CURVATURES
    ) -> None:
        rng, n = generator(seed, "bowl"), len(curvatures)
        basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
        self.hessian = basis @ np.diag(curvatures) @ basis.T
        self.matrix = rng.normal(size=(n, 3))
        self._target, self._centre = rng.normal(size=n), rng.normal(size=3)
        self.horizon, self.nfe, self._seed = horizon, 0, seed

    def _native(self, lam: Lam) -> NDArray[np.float64]:
        return np.array(list(self.space.numbers(lam).values()))

    def _pullback(self, lam: Lam, by_native: NDArray[np.float64]) -> Lam:
        return self.space.pullback(lam, dict(zip("abc", by_native, strict=True)))

    def init(self, seed: int) -> State:
        self.nfe += 1
        return generator(self._seed, "start", seed).normal(size=len(self._target))

    def step(self, state: State, lam: Lam, tilt: float = 0.0) -> State:
        self.nfe += 1
        residual = self.hessian @ (state - self.matrix @ self._native(lam))
        moved: State = state - residual - tilt * (state - self._target)
        return moved

    def loss(self, state: State, lam: Lam) -> float:
        self.nfe += 1
        beside = self._native(lam) - self._centre
        return float(np.sum((state - self._target) ** 2) + _SIDE * np.sum(beside**2)) / 2

    def grad(self, state: State, lam: Lam, tilt: float = 0.0) -> Lam:
        self.nfe += 1
        x = self._native(lam)
        by_lower = -self.matrix.T @ self.hessian @ (state - self.matrix @ x)
        return self._pullback(lam, by_lower + tilt * _SIDE * (x - self._centre))

    def solution(self, lam: Lam) -> State:
        """y(lam); not counted."""
        found: State = self.matrix @ self._native(lam)
        return found

    def series(self, lam: Lam, terms: int) -> Lam:
        """The hypergradient at y(lam), (d,), with H^-1 cut after so many terms of its Neumann
        series; exact for many. Not counted.
        """
        x = self._native(lam)
        slope = self.solution(lam) - self._target
        m = np.eye(len(slope)) - self.hessian
        inverse = sum(np.linalg.matrix_power(m, j) for j in range(terms))
        by_native = self.matrix.T @ self.hessian @ inverse @ slope + _SIDE * (x - self._centre)
        return self._pullback(lam, by_native)
