"""What was measured of a run's answer after the run: a file for each run, beside all of them.

So a run's folder stays as it was sealed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter

from benchmark.store.files import root_of, storing
from benchmark.store.locks import locked
from benchmark.store.schema import Text
from benchmark.store.signed import read_signed, write_signed

MEASURED = "measured"
# seconds between two looks at a lock that another process holds
_POLL = 0.05


class MeasuredRecord(BaseModel):
    """A file of `measured/`. run: its name.  how: of each metric, against what and by what."""

    run: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    metrics: dict[Text, FiniteFloat]
    how: dict[Text, Text]


_RECORD = TypeAdapter(MeasuredRecord)


def _path(folder: Path) -> Path:
    return root_of(folder) / MEASURED / f"{folder.name}.json"


def measured(folder: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Of the run in a folder TASK/METHOD/RUN: metrics, and how each was measured.

    Raises UsageError for a record that was altered.
    """
    record = read_signed(_path(folder), _RECORD, "later measurements", "`bench measure`")
    # one of another run was copied to this name
    if record is None or record["run"] != folder.name:
        return {}, {}
    return record["metrics"], record["how"]


def add_measured(folder: Path, metrics: Mapping[str, float], how: Mapping[str, str]) -> None:
    """To those that are there. Raises UsageError and StorageError."""
    path = _path(folder)
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.parent / ".lock"
        with _turn(lock):
            before, texts = measured(folder)
            found = {"metrics": before | dict(metrics), "how": texts | dict(how)}
            write_signed(path, {"run": folder.name} | found)


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """Wait for those that measure other metrics of the same runs. Raises OSError."""
    while True:
        # where files cannot be locked nobody is waited for
        with locked(lock, needed=False) as held:
            if held:
                yield
                return
        time.sleep(_POLL)
