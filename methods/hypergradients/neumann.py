"""Implicit differentiation by a truncated Neumann series (Lorraine et al. 2020, arXiv 1911.02590).

H^-1 = sum_j M^j D, cut after K terms, in equation (1):
    F_lam - A sum_{j<K} M^j D g,
whose error falls as the K-th power of M's largest eigenvalue. By (3) that is the slope over the
tilt of K tilted steps: no product with H is formed, and as in stocBiO (Ji et al. 2021, arXiv
2010.07962) each factor M has a batch of its own where steps draw batches. At K = 1 it is `t1t2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.hypergradients.descent import Descent
from methods.hypergradients.over_tilt import over_tilt


@dataclass(frozen=True)
class Neumann(Descent):
    """Follow the implicit hypergradient with a truncated Neumann series for the inverse Hessian."""

    terms: int = option(
        5,
        "terms of the series (5: all that the default steps of `quadratic` hold)",
        low=1,
        high=10**6,
    )

    window_of: ClassVar[str] = "neumann.terms"

    @property
    def window(self) -> int:
        return self.terms

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        y = advance(problem, shared, lam, self.terms)
        return y, over_tilt(problem, shared, lam, self.terms)
