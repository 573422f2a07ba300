"""T1-T2: the hypergradient through the last step alone (Luketina et al. 2016, arXiv 1511.06727).

DARTS (Liu et al. 2019, arXiv 1806.09055) takes the same for dF(lam, y - D G_y)/dlam, which is
    F_lam - A D g,
equation (1) with D in the place of H^-1, so that its scale says nothing. The waist gives it by one
tilted step to either side: it is `bilevel` at gamma = inf and steps_z = 1, to the bit. Where one
step solves the lower problem it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.fitting import advance
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.hypergradients.descent import Descent
from methods.hypergradients.over_tilt import over_tilt


@dataclass(frozen=True)
class T1T2(Descent):
    """Follow the hypergradient through the last lower step alone."""

    @property
    def window(self) -> int:
        return 1

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        return advance(problem, shared, lam, 1), over_tilt(problem, shared, lam, 1)
