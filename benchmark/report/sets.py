"""The folders that a report lies in, so that the next one to the same place leaves no old ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmark.report.record import RECORD, ReportRecord
from benchmark.store.bounded import read_bounded
from benchmark.store.files import write_atomic

SETS = "sets.json"
_LIMIT = 2**20  # bytes


def remember_sets(out: Path, folders: Sequence[Path]) -> None:
    """Remove what an earlier report to `out` left elsewhere than in `folders`. Raises OSError.

    Folders below it are known by sets.json alone: others may be reports of their own.
    """
    for folder in {out, *(out / name for name in _names(out))} - set(folders):
        _remove(folder)
    if below := [folder.name for folder in folders if folder != out]:
        write_atomic(out / SETS, json.dumps({"folders": below}, indent=1) + "\n")
    else:
        (out / SETS).unlink(missing_ok=True)


def _names(out: Path) -> list[str]:
    """Of an earlier report's folders."""
    try:
        found = json.loads(read_bounded(out / SETS, _LIMIT))["folders"]
        names = [str(name) for name in found]
    # there is none, or it is somebody else's
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    # nothing outside of it
    return [name for name in names if name not in ("", ".", "..") and "/" not in name]


def _remove(folder: Path) -> None:
    """The files that a report says it wrote."""
    if names := ReportRecord.written(folder):
        for name in (*names, RECORD):
            (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
