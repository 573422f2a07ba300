"""Other metrics of stored answers: measured again from what was kept of each, without a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from benchmark.errors import Refused, StorageError, UsageError, located, suggest
from benchmark.protocol import FeaturePairs, Remeasured
from benchmark.registry import METRICS
from benchmark.report.causes import causes
from benchmark.report.metrics import metric_of
from benchmark.runs.refit import Show
from benchmark.runs.worker import same_task
from benchmark.spec import RunSpec, read_spec
from benchmark.store.measured import add_measured
from benchmark.store.stored import Stored, read_answer


@runtime_checkable
class Networked(Protocol):
    """What computes a metric by a published network of its own."""

    def files(self) -> object:
        """Where they lie. Raises UsageError where one is missing."""

    def fetch(self, dry_run: bool, base: str) -> None:
        """As `benchmark.maker.Fetcher`."""


@dataclass(frozen=True)
class Wanted:
    """A run, and the metrics that it lacks."""

    run: Stored
    names: tuple[str, ...]


def later() -> list[str]:
    """The metrics that can be measured of a stored answer."""
    return [name for name in METRICS.complete() if metric_of(name).measure is not None]


def at_hand() -> tuple[str, ...]:
    """Those of them that need no network of their own."""
    return tuple(name for name in later() if not isinstance(metric_of(name).function(), Networked))


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Each once. Raises UsageError for a metric that cannot be measured later."""
    known, found = later(), tuple(dict.fromkeys(names))
    for name in found:
        if name not in known:
            raise UsageError(
                f"--metrics: expected a metric that can be measured later, got {name!r}"
                f"{suggest(name, known)}; known: {', '.join(known)}"
            )
    return found


def fetch_networks(names: Iterable[str], dry_run: bool, base: str) -> None:
    """Download what metrics need. Raises UsageError, also for one that needs nothing."""
    for name in check_names(names):
        function = metric_of(name).function()
        if not isinstance(function, Networked):
            raise UsageError(f"fetch: metric {name!r} needs no network of its own")
        function.fetch(dry_run, base)


def wanted(runs: Iterable[Stored], names: Sequence[str]) -> list[Wanted]:
    """The runs with an answer that lack some of these metrics."""
    found = []
    for run in runs:
        lacking = tuple(n for n in names if n not in run.tests[-1]["metrics"])
        if lacking:
            found.append(Wanted(run, lacking))
    return found


def measure(todo: Sequence[Wanted], show: Show = lambda done, of: None) -> tuple[int, list[str]]:
    """Measure and store, run by run; returns how many were, and a line for each cause of a gap.

    Raises UsageError where nothing could be measured, and StorageError.
    """
    # before any image is made for it
    for name in sorted({name for one in todo for name in one.names}):
        if isinstance(function := metric_of(name).function(), Networked):
            function.files()
    problems: list[tuple[Stored, str]] = []
    done = 0
    for k, one in enumerate(todo):
        spec = read_spec(one.run.run["spec"])
        try:
            samples = _samples(spec, one)
            found = {name: _value(name, samples) for name in one.names}
            values = {name: v for name, v in found.items() if isinstance(v, tuple)}
            problems += [(one.run, v) for v in found.values() if isinstance(v, str)]
            if values:
                metrics = {name: value for name, (value, _) in values.items()}
                add_measured(one.run.folder, metrics, {n: how for n, (_, how) in values.items()})
                done += 1
        except StorageError:
            raise
        # whatever a plug-in's task may raise
        except Exception as error:
            why = str(error) if isinstance(error, (UsageError, Refused)) else located(error)
            problems.append((one.run, why))
        show(k + 1, len(todo))
    lines = list(causes("not measured", problems))
    if todo and not done:
        raise UsageError(f"measure: {'; '.join(lines)}")
    return done, lines


def _samples(spec: RunSpec, one: Wanted) -> FeaturePairs:
    """Raises UsageError, Refused, and what a task raises."""
    # what stands between a method and a task has no part in an answer's samples
    same_task(spec, harness=False)
    task = spec.maker().open(spec.seed, spec.prompt, spec.lower, spec.device)
    if not isinstance(task, Remeasured):
        raise UsageError(f"task {spec.task!r} keeps nothing that other metrics could be made of")
    lam = np.clip(task.space.point(one.run.tests[-1]["lam"]), 0.0, 1.0)
    return task.samples(read_answer(one.run.folder), lam)


def _value(name: str, samples: FeaturePairs) -> tuple[float, str] | str:
    """A metric and how it was made, or why there is none."""
    metric = metric_of(name)
    try:
        value, how = metric.function()(samples)
    # a plug-in's metric may raise anything
    except Exception as error:
        why = str(error) if isinstance(error, (UsageError, ValueError)) else located(error)
        return f"{metric.head}: {why}"
    if not np.isfinite(value):
        return f"{metric.head}: expected a finite number, got {value}"
    return float(value), how
