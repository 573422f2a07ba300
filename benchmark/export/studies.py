"""Stored runs as studies of Optuna: a run a study, a training a trial.

A trial is complete where its training is as long as the longest of its run, with the last F as its
value. A shorter one is pruned, for its F is not comparable. One whose last F is not finite failed.
"""

from __future__ import annotations

import calendar
import math
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmark.errors import UsageError, format_error
from benchmark.export.evaluations import whose
from benchmark.export.trainings import Training, trainings
from benchmark.space import Axis, Choice, Integer, from_json
from benchmark.store.store import Stored


def study_name(run: Stored) -> str:
    """Task, method and the run's own name, which no other run has."""
    spec = run.run["spec"]
    parts = (spec["task"], spec["method"], spec["lower"], f"seed {spec['seed']}")
    return " ".join([*filter(None, parts), run.run["run_id"]])


def attributes(run: Stored) -> dict[str, Any]:
    """What a study says of its run: what it was, how it ended, and its last measurement."""
    record, measured = run.run, run.tests[-1]["metrics"] if run.tests else {}
    spec = record["spec"]
    return {
        **whose(run),
        "status": record["status"],
        "device": spec["device"],
        "task_options": spec["task_options"],
        "method_options": spec["method_options"],
        **{f"metric.{name}": value for name, value in measured.items()},
    }


def study_trials(run: Stored) -> Iterator[FrozenTrial]:
    """The trials of a run's study, in the order in which they began. Raises UsageError."""
    axes = {axis.name: axis for axis in from_json(run.run["space"]).axes}
    distributions = {name: _distribution(axis) for name, axis in axes.items()}
    began, found = _began(run), trainings(run.trials)
    longest = max((t.steps for t in found), default=0)
    for training in found:
        try:
            params = {name: _value(axes[name], value) for name, value in training.lam.items()}
            trial = _trial(training, params, distributions, longest, began)
        # the record is altered, or of a task that proposed what its space has not
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"{run.folder}: expected trials inside its space; {format_error(error)}; leave the "
                "run out"
            ) from error
        yield trial


def _trial(
    training: Training,
    params: dict[str, Any],
    distributions: dict[str, BaseDistribution],
    longest: int,
    began: datetime,
) -> FrozenTrial:
    finite = math.isfinite(training.loss)
    done = TrialState.COMPLETE if training.steps == longest else TrialState.PRUNED
    state = done if finite else TrialState.FAIL
    last = training.rows[-1]
    made = create_trial(
        state=state,
        value=training.loss if state == TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        user_attrs={name: last[name] for name in ("seconds", "nfe", "steps", "seed")},
        # a database has no NaN and some viewers no infinity
        intermediate_values={
            row["steps"]: row["loss"] for row in training.rows if math.isfinite(row["loss"])
        },
    )
    # by the search's own clock, which stands still where the method is not at work
    made.datetime_start = began + timedelta(seconds=training.rows[0]["seconds"])
    made.datetime_complete = began + timedelta(seconds=last["seconds"])
    return made


def _began(run: Stored) -> datetime:
    try:
        moment = calendar.timegm(time.strptime(str(run.run["started"]), "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        moment = 0
    # Optuna's dates are local ones
    return datetime.fromtimestamp(moment)


def _distribution(axis: Axis) -> BaseDistribution:
    if isinstance(axis, Choice):
        return CategoricalDistribution(axis.values)
    if isinstance(axis, Integer):
        return IntDistribution(axis.low, axis.high, log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Axis, value: Any) -> Any:
    if isinstance(axis, Choice):
        return str(value)
    return int(value) if isinstance(axis, Integer) else float(value)
