"""Hyperband: Li et al., JMLR 18 (2018), arXiv 1603.06560."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from methods.brackets import bracket, rungs, widest
from methods.trials import Trial, TrialSearch, costs


@dataclass(frozen=True)
class Hyperband(TrialSearch):
    """Brackets of successive halving from 0 halvings to the most, each with the same share of the
    budget. The paper begins with the most; here full fits come first, for an early answer.
    """

    eta: int = option(
        3, "one trial of so many goes on to the next rung (the paper's 3 or 4)", low=2, high=99
    )
    rungs: int = option(
        4,
        "of the longest bracket, at most; none is shorter than an F is dear (the paper's deep "
        "networks: 4 or 5)",
        low=1,
        high=30,
    )
    points: int = option(
        100, "of one bracket, at most; fewer where the budget pays for fewer", low=1, high=5000
    )

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        price = yield from costs(problem, rng)
        levels = rungs(problem.horizon, self.eta, self.rungs, price.least)
        # an answer even where the budget is below a full fit
        yield from bracket(problem, rng, 1, self.eta, levels)
        while True:
            for halvings in range(len(levels)):
                share = problem.remaining() / (len(levels) - halvings)
                part = levels[-1 - halvings :]
                n = widest(share, self.points, self.eta, part, price)
                yield from bracket(problem, rng, n, self.eta, part)
