"""report.json: how a report was made, of which runs, and what it says beside its numbers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark import escape
from benchmark.errors import UsageError
from benchmark.report.compare import Failures
from benchmark.store.bounded import read_bounded
from benchmark.store.files import write_atomic

RECORD = "report.json"
_LIMIT = 64 * 2**20  # bytes


class ReportRecord(BaseModel):
    """How a report was made. at, across, failures: as given.  left_out, undrawn: see `Table`.

    runs: SHA-256 of run.json, by run.  files: SHA-256, by name.  title, reading, footnote: the
    texts around the table.  markdown: the footnote of a table1.md from before names were escaped.
    pictures: in the order of the page. What an earlier version did not store is None.
    """

    # a later version's fields survive when this one writes the record again
    model_config = ConfigDict(extra="allow", strict=True)

    at: str = ""
    across: bool = False
    failures: Failures = "common"
    left_out: int = 0
    undrawn: list[str] = []
    runs: dict[str, str] | None = None
    files: dict[str, str] | None = None
    title: str | None = None
    reading: str | None = None
    footnote: str | None = None
    markdown: str | None = None
    pictures: list[str] | None = None

    @property
    def sealed(self) -> bool:
        """Whether it lists its runs and files with their hashes."""
        return self.runs is not None and self.files is not None

    @classmethod
    def read(cls, folder: Path) -> ReportRecord:
        """The record of a report, or the defaults where it has none. Raises UsageError."""
        path = folder / RECORD
        if not path.exists():
            return cls()
        try:
            return cls.model_validate(json.loads(read_bounded(path, _LIMIT)))
        except (OSError, ValueError, RecursionError) as error:
            what = error.errors()[0] if isinstance(error, ValidationError) else {"msg": str(error)}
            where = ".".join(map(str, what.get("loc", ())))
            raise UsageError(
                f"{path}: expected how a report was made; {f'{where}: ' if where else ''}"
                f"{what['msg']}"
            ) from error

    @classmethod
    def written(cls, folder: Path) -> set[str]:
        """The files that the report there says it wrote; none where it cannot be read."""
        with suppress(UsageError):
            return {name for name in cls.read(folder).files or () if "/" not in name}
        return set()

    def noted(self, footnote: str) -> str:
        """A footnote as table1.md has it."""
        return escape.markdown(footnote) if self.markdown is None else self.markdown

    def write(self, folder: Path) -> None:
        """Raises OSError."""
        found: dict[str, Any] = self.model_dump(exclude_none=True)
        write_atomic(folder / RECORD, json.dumps(found, indent=1) + "\n")
