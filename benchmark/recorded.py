"""What a recorded table is, for the command that writes one and the task that answers from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

KEY = b"bench"
"""Of the table's metadata."""
FORMAT = 1
LEAST = 16
"""Points of a table."""
OWN = ("seed", "start", "steps", "loss")
"""Columns beside the axes of lam: the run's seed, the training's within it, its steps, F."""


def digest(columns: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """SHA-256 of a table and of what it says of itself, `about`, but for the hash in there."""
    text = json.dumps({k: v for k, v in about.items() if k != "digest"}, sort_keys=True)
    # by names and values, so that another library's way to store them changes nothing
    table = columns[sorted(map(str, columns))].to_csv(index=False, float_format="%.9g")
    return hashlib.sha256((text + table).encode()).hexdigest()
