"""What was measured of a run's answer after the run: a file for each run, beside all of them.

So a run's folder stays as it was sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter

from benchmark.store.files import root_of
from benchmark.store.schema import Text
from benchmark.store.signed import read_signed, write_signed

MEASURED = "measured"


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
    before, texts = measured(folder)
    record = {"run": folder.name, "metrics": before | dict(metrics), "how": texts | dict(how)}
    write_signed(_path(folder), record)
