"""Truncated unrolling (Shaban et al. 2019, arXiv 1810.10667) by differences over lam.

The derivative of F(lam, Phi^K(y, lam)) with y held fixed, K lower steps back. Where reverse mode
would need the transpose of each step, lam has few axes: central differences along each of them
(forward mode: Franceschi et al. 2017, arXiv 1703.01785) run the steps themselves, so that any
optimizer is differentiated as it is, to O(nu^2). At a y that has come to rest it is `neumann` with
K terms (5); on the way there it counts what the last K steps did, and nothing before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam, sides
from methods.hypergradients.descent import Descent


@dataclass(frozen=True)
class Unrolled(Descent):
    """Follow the slope of F over lam through the last lower steps, by differences axis by axis."""

    unroll: int = option(
        5, "lower steps that the difference runs through (as many as neumann)", low=1, high=10**6
    )
    nu: float = option(
        0.01,
        "half the width of a difference, in the unit cube (the paper's nu)",
        low=1e-6,
        high=0.1,
    )

    uses_gradient: ClassVar[bool] = False
    window_of: ClassVar[str] = "unrolled.unroll"

    @property
    def window(self) -> int:
        return self.unroll

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        def value(at: Lam) -> float:
            return problem.loss(advance(problem, shared, at, self.unroll), at)

        hyper = np.zeros_like(lam)
        # a whole number is moved by its own cell, within which F does not change
        nu = np.maximum(self.nu, problem.space.widths(lam))
        for k in np.flatnonzero(problem.space.ordered):
            move = np.zeros_like(lam)
            move[k] = nu[k]
            ahead, behind = (value(at) for at in sides(lam, move))
            hyper[k] = (ahead - behind) / (2 * nu[k])
        return advance(problem, shared, lam, self.unroll), hyper
