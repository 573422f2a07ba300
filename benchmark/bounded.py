"""Files from elsewhere, read up to a limit."""

from __future__ import annotations

from pathlib import Path


def read_bounded(path: Path, limit: int) -> bytes:
    """The content. Raises ValueError for more than so many bytes, whatever its size is said to be, and OSError."""
    with open(path, "rb") as file:
        found = file.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    return found
