"""Files that the package ships, with a list of them beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from tasks.files.weights import digest

MANIFEST = "manifest.json"


def listed(folder: Path) -> dict[str, Any]:
    """What the list of a folder says of each file, by its name. Raises UsageError."""
    path = folder / MANIFEST
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"weights: expected the list of hashes {path}; {error}; reinstall the package"
        ) from error


def same(path: Path, expected: str) -> None:
    """Raises UsageError where a shipped file is missing, or has another SHA-256."""
    if not path.is_file():
        raise UsageError(
            f"weights: {path} is missing (expected SHA-256 {expected}); reinstall the package"
        )
    if (found := digest(path)) != expected:
        raise UsageError(
            f"weights: {path} was altered: expected SHA-256 {expected}, got {found}; reinstall "
            "the package"
        )
