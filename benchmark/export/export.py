"""What `bench export` and `Results.export` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UsageError, suggest
from benchmark.export.tracking import TRACKERS
from benchmark.store.store import Stored

TOOLS = ("optuna", "csv", "parquet")
"""What trials can be exported to."""


@dataclass(frozen=True)
class Exported:
    """path: the file.  runs, trials: what it has now of those.  without: runs that had no trial."""

    path: str
    runs: int
    trials: int
    without: tuple[Stored, ...]


def export(
    runs: Sequence[Stored],
    tool: str,
    target: str,
    replace: bool,
    progress: Callable[[int], None] = lambda n: None,
) -> Exported:
    """Write the evaluations of F of some runs.

    target: a file, or for Optuna also `sqlite:///FILE`.  replace: whether what is there of these
    may go.  progress: called with how many runs are done. Raises UsageError, and StorageError where
    nothing can be written.
    """
    if tool not in TOOLS:
        known = (*TOOLS, *TRACKERS)
        raise UsageError(f"--to {tool!r}: expected one of {', '.join(known)}{suggest(tool, known)}")
    full = [run for run in runs if run.trials]
    if not full:
        raise UsageError(
            f"--to {tool}: expected runs with trials, got {len(runs)} without: their methods "
            "evaluated no F, or they were stored by a version that kept no trials"
        )
    without = tuple(run for run in runs if not run.trials)
    if tool == "optuna":
        # imported here: it takes a second
        from benchmark.export.storage import SQLITE, write_studies

        count = write_studies(full, target, replace, progress)
        return Exported(target.removeprefix(SQLITE), len(full), count, without)
    # only now, so that `bench export --help` does not wait for pandas
    from benchmark.export.evaluations import evaluations
    from benchmark.export.rows import write_rows
    from benchmark.report.variants import variants

    found = evaluations(full, variants(full, across=False)[0])
    write_rows(found, tool, Path(target), replace)
    return Exported(target, len(full), len(found), without)
