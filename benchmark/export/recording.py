"""Stored trials of one task as a table that answers in its place: `bench record`."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import UsageError
from benchmark.maker import Priced
from benchmark.recorded import FORMAT, KEY, LEAST, OWN, digest
from benchmark.spec import RunSpec, read_spec
from benchmark.store.files import see_new, storing, write_atomic
from benchmark.store.stored import Stored

MOST = 5 * 2**20
"""Bytes of a table."""
_SAME = ("task", "preset", "task_version", "task_options", "lower", "prompt", "device")


def _one_task(runs: Sequence[Stored]) -> RunSpec:
    """Raises UsageError for runs of several tasks or settings."""
    first = runs[0].run["spec"]
    for run in runs:
        for name in _SAME:
            if (other := run.run["spec"][name]) != first[name]:
                raise UsageError(
                    f"record: expected runs of one task with the same settings, got {name} "
                    f"{first[name]!r} and {other!r}"
                )
        if run.run["space"] != runs[0].run["space"]:
            raise UsageError("record: expected runs over one search space, got two")
        if _files(run) != _files(runs[0]):
            raise UsageError(
                "record: expected runs of one version of the task's code and files, got two"
            )
    return read_spec(first)


def _files(run: Stored) -> dict[str, str]:
    """Hashes of all but the method's code and the suite's."""
    found: dict[str, str] = run.run["spec"]["fingerprint"]
    return {k: v for k, v in found.items() if not k.startswith("method ") and k != "suite"}


def _complete(rows: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    """The trainings that had one lam from their start, with F at every fidelity.

    Raises UsageError where they are less than half of what there is, or fewer than LEAST points.
    """
    levels = rows["steps"].nunique()
    size = rows.groupby([*axes, "seed", "start"])["steps"].transform("nunique")
    # the last training of a run may have been cut short
    whole = rows[size == levels]
    points = len(whole[axes].drop_duplicates())
    if len(whole) < len(rows) / 2 or points < LEAST:
        raise UsageError(
            f"record: expected trainings at one lam each with F at every fidelity, at {LEAST} "
            f"points or more, as the method design makes them; got {points} such points, and "
            f"{len(rows) - len(whole)} of {len(rows)} evaluations of others"
        )
    return whole.reset_index(drop=True)


def recorded(runs: Sequence[Stored]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A row an evaluation of F, and what the table is of.

    Each training must have been at one lam from its start, as those of `design` are. Columns: lam
    in native units, by the axis's name; seed, of the run; start, of the training within it; steps;
    loss, nan where it was no number. Raises UsageError for what cannot answer in a task's place.
    """
    full = [run for run in runs if run.trials]
    if not full:
        raise UsageError("record: expected runs with trials, found none; run the method `design`")
    spec = _one_task(full)
    maker = spec.maker()
    if not isinstance(maker, Priced):
        raise UsageError(f"record: expected a task with prices, {spec.task!r} states none")
    prices = maker.prices(spec.lower)
    rows = [
        {
            **trial["lam"],
            "seed": int(run.run["spec"]["seed"]),
            "start": int(trial["seed"]),
            "steps": int(trial["steps"]),
            "loss": float(trial["loss"]) if np.isfinite(float(trial["loss"])) else np.nan,
        }
        for run in full
        for trial in run.trials
    ]
    found = pd.DataFrame(rows)
    found = _complete(found, [str(name) for name in found if name not in OWN])
    # half of a double's digits are noise of a training; what overflows then is no number either
    found["loss"] = found["loss"].astype(np.float32).astype(np.float64)
    found.loc[~np.isfinite(found["loss"]), "loss"] = np.nan
    rate = np.median([run.run["search_seconds"] / max(1, run.run["nfe"]) for run in full])
    about = {
        "format": FORMAT,
        "task": spec.task,
        "preset": spec.preset,
        "task_version": spec.task_version,
        "task_options": dict(spec.task_options),
        "lower": spec.lower,
        "prompt": spec.prompt,
        "methods": sorted({run.run["spec"]["method"] for run in full}),
        "runs": len(full),
        "space": full[0].run["space"],
        "prices": asdict(prices),
        "seconds_per_evaluation": float(rate),
    }
    columns = {str(name): found[name].tolist() for name in found}
    return found, about | {"digest": digest(columns, about)}


def write_recording(runs: Sequence[Stored], path: Path, replace: bool) -> int:
    """Returns how many evaluations are in it. Raises UsageError, and StorageError."""
    see_new(path, "--to", replace)
    found, about = recorded(runs)
    content = _parquet(found, about)
    if len(content) > MOST:
        raise UsageError(
            f"record: expected a table of at most {MOST >> 20} MiB, got {len(content) >> 20}; take "
            "fewer runs"
        )
    with storing(path):
        write_atomic(path, content)
    return len(found)


def _parquet(found: pd.DataFrame, about: dict[str, Any]) -> bytes:
    # only now, so that `bench record --help` does not wait for it
    import pyarrow
    from pyarrow import parquet

    narrow = {"seed": np.int64, "start": np.int64, "steps": np.int32, "loss": np.float32}
    table = pyarrow.Table.from_pandas(found.astype(narrow), preserve_index=False)
    table = table.replace_schema_metadata({KEY: json.dumps(about)})
    content = io.BytesIO()
    parquet.write_table(table, content, compression="zstd")
    return content.getvalue()
