"""The text of a suite file: TOML, what its tables may hold, and the line of what is wrong."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import UsageError, suggest
from benchmark.store.bounded import read_bounded

_LIMIT = 2**20  # bytes
_HEAD = re.compile(r"\s*\[")
_TEXT = Field(description="text in quotes")
_TEXTS = Field(description="a list of texts")
_TABLE = Field(description="a table of OWNER.OPTION = VALUE")


class Command(BaseModel):
    """[defaults] or one [[runs]]: arguments of `bench run`. A description says what one may be."""

    model_config = ConfigDict(extra="forbid", strict=True)

    method: Annotated[str, _TEXT] = ""
    task: Annotated[str, _TEXT] = ""
    preset: Annotated[str | None, _TEXT] = None
    lower: Annotated[str | None, _TEXT] = None
    budget: Annotated[str, _TEXT] = "60s"
    seeds: Annotated[str, _TEXT] = "0"
    prompts: Annotated[list[str], _TEXTS] = []
    marks: Annotated[list[str] | None, _TEXTS] = None
    device: Annotated[str, _TEXT] = "cpu"
    set: Annotated[dict[str, Any], _TABLE] = {}


class SuiteFile(BaseModel):
    """The whole file: what holds for all commands, and one command or more."""

    model_config = ConfigDict(extra="forbid", strict=True)

    defaults: Command = Command()
    runs: Annotated[list[Command], Field(min_length=1)]


@dataclass(frozen=True)
class Source:
    """The text of a suite file, to give the line of an error."""

    path: Path
    lines: list[str]

    def error(self, text: str, header: str = "", number: int = 0, key: str = "") -> UsageError:
        """The error, with the line of the key in the number-th table of that header, from 0.

        Where the key is not found it is the line of the table.
        """
        at = self._table(header, number) if header else 0
        for k, line in enumerate(self.lines[at:], at + 1):
            if _HEAD.match(line) and header:
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                at = k
                break
        return UsageError(f"{self.path}, line {max(1, at)}: {text}")

    def _table(self, header: str, number: int) -> int:
        """The line of that header, from 1; 0 where it is not written so."""
        wanted = re.compile(rf"\s*\[+\s*[\"']?{re.escape(header)}[\"']?\s*\]+")
        found = [k for k, line in enumerate(self.lines, 1) if wanted.match(line)]
        return found[number] if number < len(found) else 0


def read_suite_file(path: Path) -> tuple[SuiteFile, Source]:
    """Raises UsageError, with the line of what is wrong where that can be told."""
    found, text = _read(path)
    source = Source(path, text.splitlines())
    try:
        return SuiteFile.model_validate(found), source
    except ValidationError as error:
        raise _explained(error.errors()[0]["loc"], found, source) from error


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        found = read_bounded(path, _LIMIT, pipe=True)
        if b"\0" in found:
            raise ValueError("it is in UTF-16 or no text at all; save it as UTF-8")
        text = found.decode("utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        raise UsageError(
            f"{path}: expected a suite file (TOML); {error.strerror or error}"
        ) from error
    # TOMLDecodeError and UnicodeDecodeError are ValueErrors
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected a suite file (TOML); {error}") from error


def _explained(at: tuple[int | str, ...], found: dict[str, Any], source: Source) -> UsageError:
    """What is wrong at a place that pydantic names, such as ("runs", 0, "marks", 1)."""
    header, *inside = map(str, at)
    if header not in SuiteFile.model_fields:
        text = f"unknown table {header!r}; a suite has [defaults] and [[runs]]"
        return source.error(text, header, key=header)
    if header == "defaults" and not inside:
        return source.error("defaults: expected a table, [defaults]", key="defaults")
    if header == "runs" and len(inside) < 2:
        return source.error("expected one table [[runs]] or more", key="runs")
    number = int(inside.pop(0)) if header == "runs" else 0
    table, key = (found[header][number] if header == "runs" else found[header]), inside[0]
    known = Command.model_fields
    if key not in known:
        text = f"unknown key {key!r}{suggest(key, known)}; known: {', '.join(known)}"
    else:
        text = f"{key}: expected {known[key].description}, got {table[key]!r}"
    return source.error(text, header, number, key)
