"""The files of the embedded preset, as they were shipped, and its prompts."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from benchmark.errors import UsageError
from tasks.files.weights import digest

ASSETS = Path(__file__).parent / "assets"
MANIFEST = "manifest.json"
PROMPTS = (
    "a bold red seven on a white background",
    "a bold blue three on a yellow background",
    "a bold green six on a gray background",
)


def manifest(folder: Path) -> dict[str, str]:
    """SHA-256 by file, as shipped. Raises UsageError."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"weights: expected the list of hashes {path}; {error}; reinstall the package"
        ) from error
    return {str(k): str(v) for k, v in found.items()}


# once a process: every run of a suite asks for it
@lru_cache(maxsize=4)
def verify(folder: Path) -> None:
    """Compare every shipped file with its hash. Raises UsageError with the file and both hashes."""
    for name, expected in manifest(folder).items():
        path = folder / name
        if not path.is_file():
            raise UsageError(
                f"weights: {path} is missing (expected SHA-256 {expected}); reinstall the package"
            )
        found = digest(path)
        if found != expected:
            raise UsageError(
                f"weights: {path} was altered: expected SHA-256 {expected}, got {found}; "
                "reinstall the package"
            )
