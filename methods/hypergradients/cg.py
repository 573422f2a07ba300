"""Implicit differentiation by conjugate gradients, as in HOAG (Pedregosa 2016, arXiv 1602.02355).

Preconditioned by D, r steps of them give the x = sum_{i<r} c_i M^i D g for which H x - g is
orthogonal to every M^l D g, l < r. That takes no inner product of states: one tilted step moves y
along s_0 = -D g and i plain ones after it along s_i = -M^i D g (3). The slopes of grad are then
b_i = A s_i (4), those of `loss` the moments m_i = <g, s_i> (i < 2r), and since D H = 1 - M
    sum_i (m_{l+i} - m_{l+i+1}) c_i = m_l  for l < r,   dF/dlam = F_lam + sum_i c_i b_i.         (6)
(Moments instead of inner products: Golub and Meurant 2010, Matrices, Moments and Quadrature.) The
system is exact where D and H are constant, and loses digits fast as r grows: hence _ROUNDING.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.hypergradients.descent import Descent
from methods.hypergradients.over_tilt import STEP, direct

_ROUNDING = 1e-6  # of the largest eigenvalue of (6): what differences at STEP cannot tell from 0


def coefficients(moments: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """c, (r,), of equation (6) from its 2 order moments, with the largest r <= order at which the
    system is positive definite. Where there is none (no curvature, or a negative one), c = [1]: the
    first direction, as truncated Newton methods take it (Nocedal and Wright 2006, algorithm 7.1).
    """
    indices = np.add.outer(np.arange(order), np.arange(order))
    system = -(moments[:-1] - moments[1:])[indices]  # m_i is minus a square's, so this is positive
    for r in range(order, 0, -1):
        eigenvalues = np.linalg.eigvalsh(system[:r, :r])
        if eigenvalues[0] > _ROUNDING * eigenvalues[-1]:
            return np.asarray(np.linalg.solve(system[:r, :r], -moments[:r]), dtype=np.float64)
    return np.ones(1)


@dataclass(frozen=True)
class ConjugateGradients(Descent):
    """Follow the implicit hypergradient with conjugate gradients for the inverse Hessian."""

    order: int = option(
        2, "steps of conjugate gradients; each looks through two lower steps", low=1, high=20
    )

    window_of: ClassVar[str] = "cg.order"

    @property
    def window(self) -> int:
        return 2 * self.order

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        y = advance(problem, shared, lam, self.window)
        hyper = direct(problem, y, lam)
        up, down = (problem.step(shared, lam, tilt) for tilt in (STEP, -STEP))
        moments, slopes = [], []
        for i in range(self.window):
            if i:
                up, down = problem.step(up, lam), problem.step(down, lam)
            moments.append((problem.loss(up, lam) - problem.loss(down, lam)) / (2 * STEP))
            if i < self.order:
                slopes.append((problem.grad(up, lam) - problem.grad(down, lam)) / (2 * STEP))
        if not np.all(np.isfinite(moments)):
            return y, np.full_like(lam, np.nan)
        c = coefficients(np.array(moments), self.order)
        return y, hyper + c @ np.array(slopes[: len(c)])
