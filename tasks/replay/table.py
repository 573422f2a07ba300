"""A recorded table, as `bench record` writes it, read and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError, format_error
from benchmark.protocol import Prices
from benchmark.recorded import FORMAT, KEY, LEAST, OWN, digest
from benchmark.registry import TASKS
from benchmark.space import Native, Space, from_json

MOST = 2_000_000
"""Evaluations of a table."""
Columns = dict[str, list[Any]]
"""By name, without pandas, for which a plan would wait."""


@dataclass(frozen=True)
class Recorded:
    """Evaluations of F of one task.

    rate: seconds of an evaluation.  seeds: of the run, (n,).  points: lam in the unit cube, (n, d).
    training: which of them belong to one training, (n,).  steps: the fidelity, (n,).  loss: F, nan
    where it was no number, (n,).
    """

    task: str
    space: Space
    prices: Prices
    rate: float
    seeds: NDArray[np.int64]
    points: NDArray[np.float64]
    training: NDArray[np.int64]
    steps: NDArray[np.int64]
    loss: NDArray[np.float64]


def _same_version(about: dict[str, Any]) -> None:
    """Raises UsageError where the recorded task, if it is known here, has another version now."""
    if about["task"] not in TASKS:
        return
    now = TASKS.get(about["task"]).version
    if now != about["task_version"]:
        raise UsageError(
            f"option replay.table: expected a record of version {now} of task {about['task']!r}, "
            f"got one of version {about['task_version']}; record it again"
        )


def _read(path: Path) -> tuple[Columns, dict[str, Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        # asked before it is read: a small file may hold a thousand times its size
        if file.metadata.num_rows > MOST:
            raise ValueError(f"expected at most {MOST} evaluations, got {file.metadata.num_rows}")
        about = json.loads((file.schema_arrow.metadata or {})[KEY])
        return file.read().to_pydict(), about


# kept for the next run of this process
@lru_cache(maxsize=4)
def read_table(path: Path, hashed: str) -> Recorded:
    """hashed: SHA-256 of the file, so that another of this name is read anew. Raises UsageError."""
    try:
        return _checked(*_read(path))
    except UsageError:
        raise
    except Exception as error:  # a file of somebody's may lead the libraries to anything
        raise UsageError(
            f"option replay.table: expected a table of `bench record`, got {path}: "
            f"{format_error(error)[:200]}"
        ) from error


def _checked(columns: Columns, about: dict[str, Any]) -> Recorded:
    if about["format"] != FORMAT:
        raise ValueError(f"expected format {FORMAT}, got {about['format']}; record it again")
    loss = np.array(columns["loss"], np.float64)
    if about["digest"] != digest({**columns, "loss": loss.tolist()}, about):
        raise ValueError("it was altered: its rows have another hash than was recorded")
    _same_version(about)
    space = from_json(about["space"])
    names = [axis.name for axis in space.axes]
    if missing := sorted({*names, *OWN} - set(columns)):
        raise ValueError(f"expected a column {missing[0]}")
    rows: Iterator[tuple[Native, ...]] = zip(*(columns[name] for name in names), strict=True)
    points = np.array([space.point(dict(zip(names, row, strict=True))) for row in rows])
    if not np.isfinite(points).all() or (np.abs(points - 0.5) > 0.5 + 1e-6).any():
        raise ValueError("expected points within the search space")
    prices, steps = Prices(**about["prices"]), np.array(columns["steps"], np.int64)
    if steps.min() < 0 or steps.max() < prices.horizon:
        raise ValueError(f"expected steps up to a full fit of {prices.horizon}")
    # numbers in the order in which trainings come
    known: dict[tuple[Any, ...], int] = {}
    keys = zip(*(columns[name] for name in (*names, "seed", "start")), strict=True)
    training = np.array([known.setdefault(key, len(known)) for key in keys], np.int64)
    distinct = len(np.unique(points, axis=0))
    if distinct < LEAST or len(loss) != len(known) * len(np.unique(steps)):
        raise ValueError(f"expected {LEAST} points or more, each training at every fidelity")
    if np.isinf(loss).any() or np.isnan(loss).all():
        raise ValueError("expected F that is a number, or nan for some")
    return Recorded(
        str(about["task"]),
        space,
        prices,
        float(about["seconds_per_evaluation"]),
        np.array(columns["seed"], np.int64),
        points.clip(0, 1),
        training,
        steps,
        loss,
    )
