"""What may be a name: it becomes a folder, a column of a table and a word of a command."""

from __future__ import annotations

import re

from benchmark.errors import UsageError

PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$"
# characters of a wrong name in a message
_SHOWN = 120
# columns of runs.csv and table1.csv
_TAKEN = {
    "task",
    "preset",
    "method",
    "lower",
    "seed",
    "prompt",
    "status",
    "search_seconds",
    "total_seconds",
    "nfe",
    "peak_memory_bytes",
    "overrun_seconds",
    "overrun_nfe",
    "time",
    "run_id",
    "jobs",
    "budget",
    "passport",
    "known",
    "variant",
    "machine",
}
# of other columns of runs.csv
_PREFIXES = ("lam.", "reference.", "cost.")
NAME = "_name"
"""The end of a passport's entry that is shown in a metric's heading, such as `fid_name`."""


REFIT = "_refit"
"""The end of a metric's name that is of a refit; of a shorter one `_refit_<steps>`."""


def refit_of(name: str) -> tuple[str, str] | None:
    """The metric that a refit measured and the steps of a shorter one, or ""; None of no refit."""
    found = re.fullmatch(rf"(.+){REFIT}(?:_([0-9]+))?", name)
    return None if found is None else (found[1], found[2] or "")


def is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(PATTERN, name) is not None


def check_name(kind: str, name: object) -> None:
    """Raises UsageError for what would not be read again, or would lead out of its folder."""
    if not is_name(name):
        shown = repr(name)
        # a name may be a file's whole text, by mistake
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}... ({len(shown)} characters)"
        raise UsageError(
            f"{kind}: expected a name of at most 100 letters, digits, _, - and . that begins with "
            f"a letter, got {shown}; choose another name"
        )


def is_taken(name: str) -> bool:
    """Whether a report has another column of this name, or could have one."""
    return name in _TAKEN or name.startswith(_PREFIXES) or name.endswith(NAME)


def check_metric(name: object) -> None:
    """Raises ValueError for what is no name, or could be that of another column of a report."""
    try:
        check_name("name of a metric", name)
    except UsageError as error:
        raise ValueError(str(error)) from None
    if is_taken(str(name)):
        raise ValueError(
            f"name of a metric: expected another than {name!r}, which is a column of its own; "
            "rename it"
        )
