"""runs.csv: the frame of a report's runs as a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark.errors import UsageError
from benchmark.escape import csv, from_csv
from benchmark.report.frame import FIRST, THEN

# bytes of a runs.csv, which may come from elsewhere
_LIMIT = 64 * 2**20
_TEXT = (
    "task",
    "preset",
    "method",
    "lower",
    "prompt",
    "status",
    "run_id",
    "budget",
    "passport",
    "variant",
    "known",
    "machine",
)


def read_frame(path: Path) -> pd.DataFrame:
    """The rows of a report's `runs.csv`, as `frame` gave them. Raises UsageError."""
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError(f"it is larger than {_LIMIT} bytes")
        # texts as they were written: a prompt may be "NA" or "007"
        found = pd.read_csv(
            path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False, na_values=[""]
        )
        if missing := sorted({*FIRST, *THEN, "budget", "passport"} - set(found.columns)):
            raise ValueError(f"it has no column {', '.join(missing)}")
        found = found.rename(columns=from_csv)
        for c in found:
            if not pd.api.types.is_numeric_dtype(found[c]):
                found[c] = found[c].map(_read, na_action="ignore")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected the runs.csv of a report; {error}") from error
    return found.assign(**{c: found[c].fillna("") if c in found else "" for c in _TEXT})


def write_frame(found: pd.DataFrame) -> str:
    """The text of a `runs.csv`, which `read_frame` reads."""
    texts = found.copy()
    for c in texts:
        if not pd.api.types.is_numeric_dtype(texts[c]):
            texts[c] = texts[c].map(_text)
    return str(texts.rename(columns=csv).to_csv(index=False, float_format="%.10g"))


def _read(cell: str) -> str:
    text = from_csv(cell)
    # half a character: no store holds it, and pyarrow's strings can't
    text.encode()
    return text


def _text(value: object) -> object:
    return csv(value) if isinstance(value, str) else value
