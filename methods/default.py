"""No tuning: the task's default point, so that a table shows what tuning is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class Default:
    """Fit at the task's default point. More fits: train on, for what the others spend on tuning."""

    fits: int = option(
        1,
        "full fits in a row, each from the last one's state; many: train until the budget ends",
        low=1,
        high=10**6,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        lam, state = problem.space.default(), problem.init(seed=0)
        for _ in range(self.fits):
            state = advance(problem, state, lam, problem.horizon)
            loss = problem.loss(state, lam)
            yield Proposal(lam, state, loss)
            # a diverged state stays so: further fits would spend the budget on nothing
            if not np.isfinite(loss):
                return
