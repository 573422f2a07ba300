"""Grid search over the task's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.fitting import fit_many
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class GridSearch:
    """Every point once, shuffled, so that a run cut short is a fair grid of fewer points."""

    per_axis: int = option(
        5,
        "points on an axis for which the task names no grid (the paper's grids have 5)",
        low=2,
        high=1000,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        best = np.inf
        points = problem.space.grid(self.per_axis)
        for found in fit_many(problem, (points[k] for k in rng.permutation(len(points)))):
            if found.loss < best:
                best = found.loss
                yield found
