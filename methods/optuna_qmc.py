"""Quasi-Monte Carlo search (Bergstra and Bengio 2012), from Optuna."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class QMC:
    """A random point, then a sequence that covers the space more evenly than random points."""

    imports: ClassVar[tuple[str, ...]] = ("methods.optuna_study", "scipy.stats")

    trials: int = option(20, "evaluations, as many as other searches get", low=1, high=10**6)
    sequence: str = option(
        "sobol", "Sobol' or Halton (Optuna's default: sobol)", choices=("sobol", "halton")
    )
    scramble: bool = option(
        True, "randomise the sequence; false: every seed has the same one (Optuna's default)"
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        # no generator itself: what it imports is then no part of the search's time
        from optuna.samplers import QMCSampler

        from methods.optuna_study import search

        return search(
            problem, rng, self.trials, QMCSampler, qmc_type=self.sequence, scramble=self.scramble
        )
