"""What stored runs asked and answered as frames: a row an evaluation of F, or a proposal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.store.store import Stored

WHOSE = ("task", "preset", "method", "lower", "seed", "prompt", "run_id", "budget")
"""Columns that say whose a row is."""
_PROPOSED = {name: name for name in ("seconds", "nfe", "loss")}
# `seed` is the run's, which the method's own seeds of a start have nothing to do with
_EVALUATED = {**_PROPOSED, "steps": "steps", "start": "seed"}


def whose(run: Stored) -> dict[str, Any]:
    """What the run was, by the names of `WHOSE`."""
    spec = run.run["spec"]
    return {name: spec.get(name, run.run.get(name)) for name in WHOSE}


def evaluations(runs: Sequence[Stored], variants: Sequence[str]) -> pd.DataFrame:
    """A row an evaluation of F, in the order of the runs and of time.

    variants: of each run, what tells it from others of its method.
    Columns: those of `WHOSE`, and variant; seconds and nfe, spent on the search by then; loss,
    which is F; steps, the fidelity, that the state had had since the start of that seed; and
    lam.<name> in native units. Raises UsageError where a file cannot be read.
    """
    return _rows(runs, variants, lambda run: run.trials, _EVALUATED)


def proposals(runs: Sequence[Stored], variants: Sequence[str]) -> pd.DataFrame:
    """A row a proposal, whose loss is what the method reported; else as `evaluations`."""
    return _rows(runs, variants, lambda run: run.proposals, _PROPOSED)


def _rows(
    runs: Sequence[Stored],
    variants: Sequence[str],
    lines: Callable[[Stored], Iterable[Mapping[str, Any]]],
    columns: Mapping[str, str],
) -> pd.DataFrame:
    """lines: of a run.  columns: which of their entries, by the name of the column."""
    rows = [
        whose(run)
        | {"variant": variant}
        | {column: line[name] for column, name in columns.items()}
        | {f"lam.{name}": value for name, value in line["lam"].items()}
        for run, variant in zip(runs, variants, strict=True)
        for line in lines(run)
    ]
    # columns all the same, so that a notebook's next line finds them
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*WHOSE, "variant", *columns])
