"""The files of the embedded preset, as they were shipped, and its prompts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tasks.files.shipped import listed, same

ASSETS = Path(__file__).parent / "assets"
PROMPTS = (
    "a bold red seven on a white background",
    "a bold blue three on a yellow background",
    "a bold green six on a gray background",
)


def manifest(folder: Path) -> dict[str, str]:
    """SHA-256 by file, as shipped. Raises UsageError."""
    return {str(name): str(digest) for name, digest in listed(folder).items()}


# once a process: every run of a suite asks for it
@lru_cache(maxsize=4)
def verify(folder: Path) -> None:
    """Compare every shipped file with its hash. Raises UsageError with the file and both hashes."""
    for name, expected in manifest(folder).items():
        same(folder / name, expected)
