"""Random search (Bergstra and Bengio 2012): uniform in the unit cube, so log-uniform on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.fitting import fit
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class RandomSearch:
    """Independent points; the best so far is the answer."""

    trials: int = option(
        20, "evaluations (the paper gives Bayesian search 20; random search gets the same)", low=1, high=10**6
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        best = np.inf
        for _ in range(self.trials):
            found = fit(problem, rng.random(problem.space.dim), seed=0)
            if found.loss < best:
                best = found.loss
                yield found
