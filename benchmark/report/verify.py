"""`bench verify`: whether stored runs are what they say, and tables follow. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.report.record import RECORD
from benchmark.report.statistics.across import SHEET, is_ours
from benchmark.report.verify_across import check_across
from benchmark.report.verify_report import check_report
from benchmark.report.verify_run import check_run
from benchmark.report.verify_texts import TABLES
from benchmark.store.store import Store, Stored

_UNSEALED = " (unsealed: from before hashes were stored, or without them)"


def verify(folder: Path) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong or "") below a folder. Raises UsageError for an empty one.

    Runs come first, since a report is checked against them.
    """
    records = Store(folder).records()
    made = {*TABLES, RECORD}
    reports = sorted(Path(at) for at, _, names in os.walk(folder) if made & set(names))
    if not records and not reports:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json) or reports (table1.csv), "
            "found none"
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
    for above in sorted({report.parent for report in reports}):
        # beside no table there may be a user's file of that name
        if is_ours(above / SHEET):
            yield f"sheet {(above / SHEET).relative_to(folder)}", check_across(above)
