"""What may be a name: it becomes a folder, a column of a table and a word of a command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from benchmark.errors import UsageError

PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$"
_SHOWN = 120  # characters
_TAKEN = {
    "task", "preset", "method", "lower", "seed", "prompt", "status", "search_seconds", "total_seconds", "nfe",
    "peak_memory_bytes", "overrun_seconds", "run_id", "jobs", "budget", "passport", "variant", "machine",
}  # fmt: skip


def is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(PATTERN, name) is not None


def check_name(kind: str, name: object) -> None:
    """Raises UsageError for what would not be read again, or would lead out of its folder."""
    if not is_name(name):
        shown = repr(name)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}... ({len(shown)} characters)"
        raise UsageError(
            f"{kind}: expected a name of at most 100 letters, digits, _, - and . that begins with a letter, got {shown}; "
            "choose another name"
        )


def check_metric(name: object) -> None:
    """Raises ValueError for what is no name, or is that of another column of a report."""
    try:
        check_name("name of a metric", name)
    except UsageError as error:
        raise ValueError(str(error)) from None
    if name in _TAKEN:
        raise ValueError(f"name of a metric: expected another than {name!r}, which is a column of its own; rename it")


def check_parts(kind: str, name: str, thing: Any) -> None:
    """The names that come with a method or a task maker: its presets, lower-level solvers and options. Raises UsageError."""
    presets, lowers = getattr(thing, "presets", ()), getattr(thing, "lowers", ())
    parts: dict[str, Iterable[object]] = {
        "preset": presets if isinstance(presets, Mapping) else (),
        "lower-level solver": [x for x in lowers if x != ""] if isinstance(lowers, tuple | list) else (),
        "option": [f.name for f in dataclasses.fields(thing) if "text" in f.metadata]
        if dataclasses.is_dataclass(thing)
        else (),
    }
    for part, names in parts.items():
        for found in names:
            check_name(f"{part} of {kind} {name!r}", found)
