"""Successive halving: Jamieson and Talwalkar, AISTATS 2016 (arXiv 1502.07943)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from methods.brackets import bracket, rungs, widest
from methods.trials import Trial, TrialSearch, costs


@dataclass(frozen=True)
class SuccessiveHalving(TrialSearch):
    """Train many random points briefly and the best of them on, rung by rung, up to a full fit."""

    eta: int = option(
        3,
        "one trial of so many goes on to the next rung (Hyperband's paper: 3 or 4)",
        low=2,
        high=99,
    )
    rungs: int = option(
        3,
        "at most; the highest is a full fit, the lowest a ninth of it, or what one F costs",
        low=1,
        high=30,
    )
    points: int = option(
        100,
        "of one bracket, at most; fewer where the budget is short; more begin another bracket",
        low=1,
        high=5000,
    )

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        price = yield from costs(problem, rng)
        levels = rungs(problem.horizon, self.eta, self.rungs, price.least)
        while True:
            n = widest(problem.remaining(), self.points, self.eta, levels, price)
            yield from bracket(problem, rng, n, self.eta, levels)
