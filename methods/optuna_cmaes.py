"""Covariance matrix adaptation (Hansen and Ostermeier 2001), from Optuna and its package cmaes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.errors import UsageError
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S
from methods.optuna_needs import need


@dataclass(frozen=True)
class CMAES:
    """Generations of a normal distribution that starts in the middle. Whole numbers are rounded,
    and a Choice is the index of its text.
    """

    imports: ClassVar[tuple[str, ...]] = ("methods.optuna_study", "cmaes")

    trials: int = option(20, "evaluations, as many as other searches get", low=1, high=10**6)
    population: int = option(
        0,
        "points of a generation; 0: 4 + 3 ln(axes), rounded down (Hansen 2016)",
        low=0,
        high=10**6,
    )
    margin: bool = option(
        False, "keep every whole number within reach (Hamano et al. 2022); false: Optuna's default"
    )

    def __post_init__(self) -> None:
        need("cmaes", "method cmaes")
        if self.population == 1:
            raise UsageError(
                "option population: expected 2 or more, or 0 for 4 + 3 ln(axes), got 1; a "
                "distribution is fitted to it"
            )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        # no generator itself: what it imports is then no part of the search's time
        from optuna.samplers import CmaEsSampler

        from methods.optuna_study import search

        return search(
            problem,
            rng,
            self.trials,
            CmaEsSampler,
            popsize=self.population or None,
            with_margin=self.margin,
        )
