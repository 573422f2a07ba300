"""What a recorded table is, for the command that writes one and the task that answers from it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

KEY = b"bench"
"""Of the table's metadata."""
FORMAT = 1
LEAST = 16
"""Points of a table."""
OWN = ("seed", "start", "steps", "loss")
"""Columns beside the axes of lam: the run's seed, the training's within it, its steps, F."""


def digest(columns: Mapping[str, Iterable[object]], about: Mapping[str, Any]) -> str:
    """SHA-256 of a table and of what it says of itself, `about`, but for the hash in there."""
    text = json.dumps({k: v for k, v in about.items() if k != "digest"}, sort_keys=True)
    # by names and values, so that another library's way to store them changes nothing
    table, names = io.StringIO(), sorted(columns)
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(names)
    lines.writerows(zip(*(map(_shown, columns[name]) for name in names), strict=True))
    return hashlib.sha256((text + table.getvalue()).encode()).hexdigest()


def _shown(value: object) -> object:
    """As pandas writes it."""
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.9g}"
