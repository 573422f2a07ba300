"""A Gaussian process with a Matern kernel and the logarithm of expected improvement (Ament et al.
2023), from Optuna.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class GP:
    """The next point maximises the expected improvement under the process."""

    imports: ClassVar[tuple[str, ...]] = ("methods.optuna_study", "scipy.optimize", "torch")

    trials: int = option(20, "evaluations, as many as other searches get", low=1, high=10**6)
    initial: int = option(
        10, "random points before the process is used (Optuna's default)", low=1, high=10**6
    )
    deterministic: bool = option(
        False, "take F for free of noise; false: the noise is fitted (Optuna's default)"
    )
    batch: int = option(
        1,
        "points that the process chooses at once; of those that run it draws a possible F",
        low=1,
        high=1000,
        later=True,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        # no generator itself: what it imports is then no part of the search's time
        from optuna.samplers import GPSampler

        from methods.optuna_study import search

        return search(
            problem,
            rng,
            self.trials,
            GPSampler,
            batch=self.batch,
            n_startup_trials=self.initial,
            deterministic_objective=self.deterministic,
        )
