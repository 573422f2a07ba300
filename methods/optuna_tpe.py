"""The tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023), from Optuna."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S


@dataclass(frozen=True)
class TPE:
    """Two densities, of the good points and of the others; the next point maximises their ratio."""

    imports: ClassVar[tuple[str, ...]] = ("methods.optuna_study",)

    trials: int = option(20, "evaluations, as many as other searches get", low=1, high=10**6)
    initial: int = option(
        10, "random points before the densities are used (Optuna's default)", low=1, high=10**6
    )
    candidates: int = option(
        24, "draws from the good density, of which the best is asked (Optuna's)", low=1, high=10**6
    )
    multivariate: bool = option(
        True, "one density over all axes, not one for each (Optuna's default since its 5.0)"
    )
    batch: int = option(
        1,
        "points that the densities choose at once; those that run count as bad (constant liar)",
        low=1,
        high=1000,
        later=True,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        # no generator itself: what it imports is then no part of the search's time
        from optuna.samplers import TPESampler

        from methods.optuna_study import search

        return search(
            problem,
            rng,
            self.trials,
            TPESampler,
            batch=self.batch,
            n_startup_trials=self.initial,
            n_ei_candidates=self.candidates,
            multivariate=self.multivariate,
        )
