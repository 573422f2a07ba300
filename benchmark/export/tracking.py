"""Stored runs for experiment trackers, each written with the tracker's own client."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from benchmark.errors import UsageError, format_error, suggest
from benchmark.export.answering import without_password
from benchmark.store.seal import SAMPLES
from benchmark.store.store import Stored

TRACKERS = {
    "mlflow": "benchmark.export.to_mlflow",
    "tensorboard": "benchmark.export.to_tensorboard",
    "wandb": "benchmark.export.to_wandb",
}
"""The module of each, a `Tracker`."""


@dataclass(frozen=True)
class Point:
    """Numbers by name after so many network evaluations and seconds of search."""

    evaluations: int
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Tracked:
    """A run as trackers have it. group: of runs that are comparable.  points: in their order.

    final: what the answer was measured at, and what the search cost.  pictures: files.  digest:
    another one where the run was stored or measured again.
    """

    run_id: str
    digest: str
    name: str
    group: str
    status: str
    parameters: Mapping[str, str]
    points: tuple[Point, ...]
    final: Mapping[str, float]
    pictures: tuple[Path, ...]


class Tracker(Protocol):
    """What each of these modules has. place: "" is the tracker's own default."""

    def reach(self, place: str) -> None:
        """Raises UsageError where nothing can be written to it, within seconds."""

    def write(self, runs: Sequence[Tracked], place: str) -> int:
        """Each once, in the place of an earlier one of another digest; returns how many."""


def reach(tool: str, place: str) -> None:
    """Raises UsageError for an unknown tracker, one that is not installed or does not answer."""
    with _one_line(tool, place):
        _tracker(tool).reach(place)


def track(runs: Iterable[Stored], tool: str, place: str) -> int:
    """Returns how many runs were written. Raises UsageError, also for what the tracker raises."""
    with _one_line(tool, place):
        tracker = _tracker(tool)
        tracker.reach(place)
        return tracker.write([tracked(run) for run in runs if not run.open], place)


@contextmanager
def _one_line(tool: str, place: str) -> Iterator[None]:
    """Turns what a tracker's client raises into a UsageError."""
    try:
        yield
    except UsageError:
        raise
    # of many kinds, of places and of servers
    except Exception as error:
        where = f" {place!r}" if place else ""
        raise UsageError(without_password(f"{tool}{where}: {format_error(error)[:300]}")) from error


def _tracker(tool: str) -> Tracker:
    if tool not in TRACKERS:
        raise UsageError(
            f"tracker {tool!r}: expected one of {', '.join(TRACKERS)}{suggest(tool, TRACKERS)}"
        )
    # each is named as its package is
    if find_spec(tool) is None:
        raise UsageError(
            f"{tool}: expected the package, which is not installed; pip install "
            "'diffusion-hpo-bench[track]'"
        )
    return cast(Tracker, import_module(TRACKERS[tool]))


def tracked(run: Stored) -> Tracked:
    spec = run.run["spec"]
    parts = (spec["method"], spec["lower"], f"seed {spec['seed']}", spec["prompt"])
    options = {
        f"{spec[owner]}.{k}": str(v)
        for owner, of in (("task", "task_options"), ("method", "method_options"))
        for k, v in spec[of].items()
    }
    own = ("task", "method", "preset", "lower", "budget", "seed", "prompt", "device")
    last = run.tests[-1] if run.tests else None
    final = {} if last is None else {**last["metrics"], **_lam(last)}
    # run.json has the hashes of the run's files; what was measured later is not among them
    measured = json.dumps(final, sort_keys=True, default=str)
    costs = {"seconds": run.run.get("search_seconds"), "evaluations": run.run.get("nfe")}
    return Tracked(
        run.run["run_id"],
        hashlib.sha256(f"{run.digest} {measured}".encode()).hexdigest(),
        ", ".join(filter(None, parts)),
        f"{spec['task']} {spec['preset']} {spec['budget']}",
        run.run["status"],
        {**{k: str(spec[k]) for k in own}, **options},
        tuple(_points(run)),
        _finite({**final, **{k: v for k, v in costs.items() if v is not None}}),
        tuple(p for p in (run.folder / SAMPLES,) if p.is_file()),
    )


def _points(run: Stored) -> Iterable[Point]:
    """F of the incumbents and what they were measured at, by what was spent."""
    stood = (Point(p["nfe"], p["seconds"], {"F": p["loss"], **_lam(p)}) for p in run.proposals)
    tests = (Point(t["nfe"], t["seconds"], t["metrics"]) for t in run.tests)
    found = [replace(p, values=_finite(p.values)) for p in (*stood, *tests)]
    return sorted((p for p in found if p.values), key=lambda p: (p.seconds, p.evaluations))


def _lam(line: Mapping[str, Any]) -> dict[str, Any]:
    return {f"lam.{k}": v for k, v in line["lam"].items()}


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among them: a text of a Choice is none."""
    numbers = {k: float(v) for k, v in values.items() if isinstance(v, (int, float))}
    return {k: v for k, v in numbers.items() if math.isfinite(v)}
