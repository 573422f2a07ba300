"""An evolution strategy on the response of y, like PZOBO (Sow et al. 2022, arXiv 2110.07004).

PZOBO estimates dy/dlam by differences of y along random directions u and multiplies by g. States
cannot be subtracted, but their effect on F can be read with lam held fixed in it:
    F_lam + mean over u of [F(lam, Phi^K(y, lam + nu u)) - F(lam, Phi^K(y, lam - nu u))] / (2 nu) u,
unbiased up to O(nu^2) for what `unrolled` computes (Nesterov and Spokoiny 2017), at a price that
does not depend on d. Its relative variance is about (d + 1) / directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam, sides
from methods.hypergradients.descent import Descent, Estimate
from methods.hypergradients.over_tilt import direct


@dataclass(frozen=True)
class EvolutionStrategy(Descent):
    """Follow F's slope over the response of y to random moves of lam, and F's own slope."""

    unroll: int = option(
        5, "lower steps that the response has (as many as neumann)", low=1, high=10**6
    )
    directions: int = option(1, "random directions a step on lam (PZOBO's Q)", low=1, high=10**4)
    nu: float = option(
        0.01, "deviation of a move of lam, in the unit cube (the paper's nu)", low=1e-6, high=0.1
    )

    window_of: ClassVar[str] = "es.unroll"

    @property
    def window(self) -> int:
        return self.unroll

    def response(self, problem: Problem[S], shared: S, lam: Lam, u: Lam) -> Lam:
        """The slope of F along u by y alone, times u, (d,); u is in deviations of each axis."""
        # a whole number is moved by its own cell, within which F does not change
        nu = np.maximum(self.nu, problem.space.widths(lam))
        up, down = (
            problem.loss(advance(problem, shared, at, self.unroll), lam)
            for at in sides(lam, nu * u)
        )
        # along a Choice u is 0, and F may be inf
        with np.errstate(invalid="ignore"):
            return np.asarray((up - down) / (2 * nu) * u)

    def estimator(self, problem: Problem[S], rng: np.random.Generator) -> Estimate[S]:
        def estimate(state: S, lam: Lam) -> tuple[S, Lam]:
            shared = self.shared(problem, state, lam)
            y = advance(problem, shared, lam, self.unroll)
            among = rng.standard_normal((self.directions, len(lam))) * problem.space.ordered
            found = [self.response(problem, shared, lam, u) for u in among]
            return y, direct(problem, y, lam) + np.mean(found, axis=0)

        return estimate
