"""`bench verify`: whether stored runs are what they say they are, and tables follow from them. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.report import MADE
from benchmark.store import Store, Stored
from benchmark.verify_report import TABLES, check_report
from benchmark.verify_run import check_run

_UNSEALED = " (unsealed: from before hashes were stored, or without them)"


def verify(folder: Path) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong or "") for the runs and the reports below a folder. Raises UsageError for an empty one."""
    records = Store(folder).records()
    made = {*TABLES, MADE}
    reports = sorted(Path(at) for at, _, names in os.walk(folder) if made & set(names))
    if not records and not reports:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json) or reports (table1.csv), found none"
        )
    runs: dict[str, Stored] = {}
    for path in records:
        run, problem, sealed = check_run(path.parent)
        if run is not None:
            runs[str(run.run["run_id"])] = run
        yield f"run {path.parent.relative_to(folder)}{'' if sealed else _UNSEALED}", problem
    for report in reports:
        problem, sealed = check_report(report, runs)
        yield f"table {report.relative_to(folder)}{'' if sealed else _UNSEALED}", problem
