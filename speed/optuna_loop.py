"""A: 100 trials of TPE by the suite, set up, stored and measured; B: by Optuna's own loop.

On `quadratic`, in CPU time: an evaluation there costs next to nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import TPESampler

from benchmark.command.parse import plan_from_text as plan
from benchmark.fitting import fit
from benchmark.registry import METHODS
from benchmark.runs.runner import run_one
from benchmark.seeds import generator
from benchmark.space import Float
from benchmark.store.store import Store
from speed.timing import ratio
from tasks.quadratic import Quadratic

TRIALS = 100


def optuna_loop() -> None:
    """The task's evaluations by `study.optimize`."""
    task = Quadratic().open(0, "", "", "cpu")
    seed = int(generator(0, "speed").integers(2**31))
    axes = [axis for axis in task.space.axes if isinstance(axis, Float)]

    def objective(trial: optuna.Trial) -> float:
        asked = {a.name: trial.suggest_float(a.name, a.low, a.high, log=a.log) for a in axes}
        return fit(task, np.clip(task.space.point(asked), 0.0, 1.0), seed=0).loss

    study = optuna.create_study(sampler=TPESampler(seed=seed, multivariate=True))
    study.optimize(objective, n_trials=TRIALS)


def suite_runs(folder: Path) -> Iterator[None]:
    """The same number of trials as a stored run, each time of another seed."""
    METHODS.complete()
    store = Store(folder)
    for seed in count():
        (spec,) = plan(
            "tpe", "quadratic", budget="1h", seeds=str(seed), settings=[f"tpe.trials={TRIALS}"]
        )
        run_one(spec, store, quiet=True)
        yield


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        runs = suite_runs(Path(folder))
        print(f"{TRIALS} trials of TPE; A: a run of the suite, B: Optuna's own loop")
        ratio(lambda: next(runs), optuna_loop, 15, time.process_time)
