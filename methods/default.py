"""No tuning: the task's default point, so that a table shows what tuning is worth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.fitting import fit
from benchmark.protocol import Problem, Proposal, S


def default(problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
    """Fit once at the task's default point."""
    yield fit(problem, problem.space.default(), seed=0)
