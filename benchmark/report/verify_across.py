"""Whether across.csv follows from the tables of its report."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmark.errors import UsageError
from benchmark.report.record import ReportRecord
from benchmark.report.runs_csv import read_frame
from benchmark.report.statistics.across import SHEET, over, sheet
from benchmark.report.table import Table, tables_of
from benchmark.report.verify_texts import alike


def _tables(path: Path) -> list[Table]:
    """Raises UsageError."""
    # by its title a table's blocks are told from another's
    title = ReportRecord.read(path.parent).title
    return [replace(t, title=title or str(path)) for t in tables_of(read_frame(path))]


def check_across(folder: Path) -> str:
    """What is wrong with the across.csv of a folder, or ""."""
    try:
        found = over([t for path in sorted(folder.glob("*/runs.csv")) for t in _tables(path)])
        written = pd.read_csv(folder / SHEET)
    # pandas raises several kinds for what is no table
    except (UsageError, ValueError, OSError) as error:
        return f"{SHEET} cannot be compared with its tables: {error}"
    if found is None or not alike(written, pd.read_csv(io.StringIO(sheet(found)))):
        return f"{SHEET} does not follow from the tables beside it"
    return ""
