"""A closed-form toy: F = |y - target|^2 / 2, G = |y - A x|^2 / 2; x: the native values of lam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.options import option
from benchmark.protocol import Prices, Test
from benchmark.seeds import generator
from benchmark.space import Float, Lam, Space
from tasks.toy import Toy

State = NDArray[np.float64]
_MATRIX = np.array([[1.0, 0.3], [-0.2, 0.5]])
_BEST = np.array([1.0, 3.0])


class QuadraticTask:
    """State: y, (2,). One step is gradient descent, which contracts by 1 - rate (1 + tilt)."""

    space = Space((Float("a", -2, 2, default=0.5), Float("b", 0.1, 10, default=2.0, log=True)))

    def __init__(self, seed: int, horizon: int, rate: float) -> None:
        self.horizon, self.nfe = horizon, 0
        self._seed, self._rate, self._target = seed, rate, _MATRIX @ _BEST

    def _native(self, lam: Lam) -> NDArray[np.float64]:
        return np.array(list(self.space.numbers(lam).values()))

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> State:
        self.nfe += 1
        return generator(self._seed, "quadratic", seed).normal(size=2)

    def step(self, state: State, lam: Lam, tilt: float = 0.0) -> State:
        self.nfe += 1
        residual = state - _MATRIX @ self._native(lam)
        moved: State = state - self._rate * (residual + tilt * (state - self._target))
        return moved

    def loss(self, state: State, lam: Lam) -> float:
        self.nfe += 1
        return float(np.sum((state - self._target) ** 2) / 2)

    def grad(self, state: State, lam: Lam, tilt: float = 0.0) -> Lam:
        self.nfe += 1
        by_native = -_MATRIX.T @ (state - _MATRIX @ self._native(lam))
        return self.space.pullback(lam, dict(zip(("a", "b"), by_native, strict=True)))

    # for `bench check` alone, so it counts no evaluation
    def lower(self, state: State, lam: Lam) -> float:
        """G; not counted."""
        return float(np.sum((state - _MATRIX @ self._native(lam)) ** 2) / 2)

    def pack(self, state: State) -> Mapping[str, State]:
        return {"y": state}

    def unpack(self, arrays: Mapping[str, State]) -> State:
        return arrays["y"]

    def test(self, state: State, lam: Lam) -> Test:
        """`objective`: F at the exact lower solution."""
        # counted, so that a method which measured during its search would be seen
        self.nfe += 1
        exact = float(np.sum((_MATRIX @ self._native(lam) - self._target) ** 2) / 2)
        return Test({"objective": exact}, {"objective": "exact"}, loss=exact)


@dataclass(frozen=True)
class Quadratic(Toy):
    """Two axes, one logarithmic; optimum a = 1, b = 3."""

    toy: ClassVar[str] = "quadratic"
    horizon: int = option(20, "gradient steps of a full fit; 0.5^20 = 1e-6", low=1, high=10**6)
    rate: float = option(0.5, "step size of the lower problem", low=1e-6, high=1.0)

    @property
    def space(self) -> Space:
        return QuadraticTask.space

    def prices(self, lower: str) -> Prices:
        return self.priced(self.horizon)

    def open(self, seed: int, prompt: str, lower: str, device: str) -> QuadraticTask:
        return QuadraticTask(seed, self.horizon, self.rate)
