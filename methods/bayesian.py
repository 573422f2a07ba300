"""Bayesian search: scikit-optimize's Gaussian process, ask and tell, as in the paper's baseline."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from benchmark.fitting import batch_of, fit_many
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S

if TYPE_CHECKING:
    from skopt import Optimizer

# the Gaussian process squares what it is given
_MOST = 1e100


@dataclass(frozen=True)
class Bayesian:
    """Points of the unit cube: the random ones as many at once as the task answers with a gain,
    then one at a time. A failed one (F = inf) counts as the worst so far.
    """

    imports: ClassVar[tuple[str, ...]] = ("skopt",)

    trials: int = option(20, "evaluations (the paper's reward_ft baseline: 20)", low=1, high=10**6)
    initial: int = option(
        5,
        "random points before the model is used (scikit-optimize's 10 would be half of the 20)",
        low=1,
        high=10**6,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        # no generator itself: what it imports is then no part of the search's time
        from skopt import Optimizer

        return self._search(problem, rng, Optimizer)

    def _search(
        self, problem: Problem[S], rng: np.random.Generator, kind: type[Optimizer]
    ) -> Iterator[Proposal[S]]:
        optimizer = kind(
            [(0.0, 1.0)] * problem.space.dim,
            base_estimator="GP",
            n_initial_points=self.initial,
            random_state=int(rng.integers(2**31)),
        )
        best = worst = np.inf
        failed: list[list[float]] = []
        tried = 0
        while tried < self.trials:
            # what has not been told has not been counted, so the next point is a random one
            known = min(batch_of(problem), self.initial - len(optimizer.Xi))
            asked = [_ask(optimizer) for _ in range(min(max(1, known), self.trials - tried))]
            tried += len(asked)
            points = [np.clip(point, 0.0, 1.0) for point in asked]
            # one seed: trials differ by lam alone, and `init` is charged once
            for point, found in zip(asked, fit_many(problem, points, seed=0), strict=True):
                if np.isfinite(found.loss):
                    worst = found.loss if worst == np.inf else max(worst, found.loss)
                    _tell(optimizer, point, found.loss)
                else:
                    failed.append(point)
                # the model takes finite values alone, so failed points wait for the first of these
                while failed and worst < np.inf:
                    _tell(optimizer, failed.pop(), worst)
                if found.loss < best:
                    best = found.loss
                    yield found


def _ask(optimizer: Optimizer) -> list[float]:
    # it warns where it asks for a point again, as at a bound, and of its model's convergence
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(optimizer.ask())


def _tell(optimizer: Optimizer, point: list[float], loss: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer.tell(point, float(np.clip(loss, -_MOST, _MOST)))
