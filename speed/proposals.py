"""What asking for points through the method `tpe` costs beside its sampler alone: 100 points on
`quadratic`, in CPU time. Target: at most 5 % more.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import TPESampler

from benchmark.budget import Budget
from benchmark.fitting import fit
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.space import Float
from methods.optuna_tpe import TPE
from speed.timing import ratio
from tasks.quadratic import Quadratic

POINTS, ROUNDS, SEED = 100, 25, 0


def _task() -> Any:
    return Quadratic().open(SEED, "", "", "cpu")


def alone() -> None:
    """Optuna's own ask and tell, and the task's evaluations."""
    task, rng = _task(), generator(SEED, "speed")
    sampler = TPESampler(seed=int(rng.integers(2**31)), multivariate=True)
    study = optuna.create_study(sampler=sampler)
    axes: dict[str, BaseDistribution] = {
        a.name: FloatDistribution(a.low, a.high, log=a.log)
        for a in task.space.axes
        if isinstance(a, Float)
    }
    for _ in range(POINTS):
        trial = study.ask(axes)
        lam = np.clip(task.space.point(trial.params), 0.0, 1.0)
        study.tell(trial, fit(task, lam, seed=0).loss)


def through(problem: Any) -> None:
    """The same points from the method."""
    for _ in TPE(trials=POINTS)(problem, generator(SEED, "speed")):
        pass


def metered() -> None:
    """And its requests through the meter, with a budget that does not end it."""
    through(facade(Metered(_task(), Budget(1e9, "nfe"), Ledger())))


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"{POINTS} points of TPE; A: Optuna alone, B: the method")
    ratio(alone, lambda: through(_task()), ROUNDS, time.process_time)
    print("A: Optuna alone, B: the method behind the meter, which counts 2,200 requests")
    ratio(alone, metered, ROUNDS, time.process_time)
