"""Evaluations of F as a file of rows: CSV or Parquet."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from benchmark.errors import UsageError
from benchmark.escape import csv
from benchmark.store.files import see_new, storing, write_atomic


def write_rows(found: pd.DataFrame, kind: str, path: Path, replace: bool) -> None:
    """kind: csv or parquet.  replace: whether a file may be there.

    Raises UsageError, and StorageError where it cannot be written.
    """
    see_new(path, f"--to {kind}", replace)
    content: bytes | str = _csv(found) if kind == "csv" else _parquet(found)
    with storing(path):
        write_atomic(path, content)


def _csv(found: pd.DataFrame) -> str:
    cells = found.copy()
    for name in cells:
        if not pd.api.types.is_numeric_dtype(cells[name]):
            cells[name] = [csv(v) if isinstance(v, str) else v for v in cells[name]]
    # all digits: these are for computing with, a report's are for reading
    return str(cells.rename(columns=csv).to_csv(index=False))


def _parquet(found: pd.DataFrame) -> bytes:
    cells = found.copy()
    for name in cells:
        # an axis may be numbers in one task and texts in another; a column has one type
        if {type(v) for v in cells[name].dropna()} - {str} and cells[name].dtype == object:
            cells[name] = [v if pd.isna(v) else str(v) for v in cells[name]]
    content = io.BytesIO()
    try:
        cells.to_parquet(content, index=False)
    except ImportError as error:
        raise UsageError(
            "--to parquet: expected pyarrow, which is not installed; pip install pyarrow, or "
            "--to csv"
        ) from error
    return content.getvalue()
