"""Random search (Bergstra and Bengio 2012), uniform in the unit cube."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.fitting import fit_many
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class RandomSearch:
    """Independent points, log-uniform on a logarithmic axis; the best so far is the answer."""

    trials: int = option(
        20,
        "evaluations (the paper gives Bayesian search 20; random search gets the same)",
        low=1,
        high=10**6,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        best = np.inf
        points = (rng.random(problem.space.dim) for _ in range(self.trials))
        # one seed: trials differ by lam alone, and `init` is charged once
        for found in fit_many(problem, points, seed=0):
            if found.loss < best:
                best = found.loss
                yield found
