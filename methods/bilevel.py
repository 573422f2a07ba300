"""Bilevel-diffusion, Algorithm 1 of Xiao et al. (ICML 2025, arXiv 2502.08808), over any task's
oracles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.hypergradients.descent import Descent
from methods.hypergradients.over_tilt import over_tilt


@dataclass(frozen=True)
class Bilevel(Descent):
    """Advance y on G and z on G + F/gamma from one state, then step lam by their hypergradient."""

    gamma: float = option(
        1000.0,
        "penalty constant; inf: a symmetric difference over the tilt, which has no 1/gamma bias",
        low=1e-6,
    )
    steps_z: int = option(
        1,
        "lower steps of z, forked from y that many steps before y's end (the paper's S_z = 1)",
        low=1,
        high=10**6,
    )

    window_of: ClassVar[str] = "bilevel.steps_z"

    @property
    def window(self) -> int:
        return self.steps_z

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        """Up to O(1/gamma). Equal steps and draws for y and z."""
        y = advance(problem, shared, lam, self.steps_z)
        if np.isinf(self.gamma):
            return y, over_tilt(problem, shared, lam, self.steps_z)
        tilt = 1 / self.gamma
        z = advance(problem, shared, lam, self.steps_z, tilt)
        return y, self.gamma * (problem.grad(z, lam, tilt) - problem.grad(y, lam))  # Algorithm 1
