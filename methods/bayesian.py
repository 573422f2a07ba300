"""Bayesian search: scikit-optimize's Gaussian process, ask and tell, as in the paper's baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from skopt import Optimizer

from benchmark.fitting import fit
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S

_MOST = 1e100  # of what the model is told: it squares it


@dataclass(frozen=True)
class Bayesian:
    """One point at a time in the unit cube; a failed one (F = inf) is told as the worst finite F, once there is one."""

    trials: int = option(20, "evaluations (the paper's reward_ft baseline: 20)", low=1, high=10**6)
    initial: int = option(
        5,
        "random points before the model is used (scikit-optimize's own default is 10, half of the 20)",
        low=1,
        high=10**6,
    )

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        optimizer = Optimizer(
            [(0.0, 1.0)] * problem.space.dim,
            base_estimator="GP",
            n_initial_points=self.initial,
            random_state=int(rng.integers(2**31)),
        )
        best = worst = np.inf
        failed: list[list[float]] = []
        for _ in range(self.trials):
            asked = optimizer.ask()
            found = fit(problem, np.clip(asked, 0.0, 1.0), seed=0)
            if np.isfinite(found.loss):
                worst = found.loss if worst == np.inf else max(worst, found.loss)
                optimizer.tell(asked, float(np.clip(found.loss, -_MOST, _MOST)))
            else:
                failed.append(asked)
            while failed and worst < np.inf:
                optimizer.tell(failed.pop(), float(np.clip(worst, -_MOST, _MOST)))
            if found.loss < best:
                best = found.loss
                yield found
