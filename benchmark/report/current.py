"""Whether a stored report is what the same runs and code would make again: then it stands.

A finished suite answers from it at once; drawing would take longer than all else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.report.text_table import TextTable
from benchmark.store.files import storing, write_atomic
from benchmark.store.measured import MEASURED
from benchmark.store.refits import REFITS

STANDS = ".stands.json"
Shown = list[tuple[TextTable, Path]]
"""A table and the folder of its files, for each comparable set of runs."""
_CODE = ("benchmark", "methods", "tasks")
# what draws and computes
_LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "vl-convert-python")


def _line(path: str | Path) -> str:
    """A file, and what changes when it is written."""
    try:
        found = os.stat(path)
    # another process that writes here has replaced it just now
    except OSError:
        return f"{path} gone"
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def _files(folder: Path, deep: bool = False) -> Iterator[str]:
    """A line for each file."""
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if deep and entry.name != "__pycache__":
                yield from _files(Path(entry.path), deep)
        elif entry.name not in (STANDS, ".lock"):
            yield _line(entry.path)


def stamp(root: Path, runs: Iterable[Path], records: Iterable[Path], also: Iterable[Path]) -> str:
    """A hash of all that decides a report.

    runs: their folders.  records: the run.json of every run below `root`, for a footnote counts
    those that belong to the table.  also: other files, such as plug-ins.
    """
    code = Path(__file__).resolve().parents[2]
    lines = [__version__, *(f"{name} {version(name)}" for name in _LIBRARIES)]
    for folder in (*(code / name for name in _CODE), root / REFITS, root / MEASURED):
        lines += _files(folder, deep=True)
    for run in runs:
        lines += _files(run)
    lines += map(_line, (*records, *also))
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def remember(folder: Path, now: str, shown: Shown) -> None:
    """Keep what a report shows beside its files. Raises StorageError."""
    found = {
        "stamp": now,
        "files": list(_files(folder, deep=True)),
        "shown": [[s.as_json(), os.path.relpath(place, folder)] for s, place in shown],
    }
    with storing(folder):
        write_atomic(folder / STANDS, json.dumps(found) + "\n")


def recall(folder: Path, now: str) -> Shown | None:
    """What it shows, or None where it has to be made again."""
    try:
        found: dict[str, Any] = json.loads((folder / STANDS).read_text(encoding="utf-8"))
        same: Sequence[str] = found["files"]
        if found["stamp"] != now or list(same) != list(_files(folder, deep=True)):
            return None
        return [(TextTable(**cells), folder / place) for cells, place in found["shown"]]
    # of another version, or altered: it is made again
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
