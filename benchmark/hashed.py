"""SHA-256 of the files that runs read; what one process has hashed, those that it starts know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

_LEAST = 2**20  # bytes; a smaller file is hashed sooner than its hash is handed on
# by path: what changes when the file does, and its hash
_KNOWN: dict[str, tuple[tuple[int, ...], str]] = {}
Known = Sequence[tuple[str, Sequence[int], str]]
"""Paths, stamps and hashes, for JSON."""


def _stamp(path: Path) -> tuple[int, ...]:
    # the time of the change of the inode cannot be set by who replaces the file
    about = path.stat()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def sha256(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path) -> str:
    """As `sha256`, remembered while the file stays as it is. Raises OSError."""
    stamp = _stamp(path)
    if (known := _KNOWN.get(str(path))) is None or known[0] != stamp:
        known = _KNOWN[str(path)] = stamp, sha256(path)
    return known[1]


def known() -> Known:
    """What this process has hashed of a megabyte or more, for another one of this machine."""
    return [(path, stamp, found) for path, (stamp, found) in _KNOWN.items() if stamp[2] >= _LEAST]


def take(hashes: Known) -> None:
    """Know what another process of this machine knew; a file that changed is hashed anew."""
    _KNOWN.update({path: (tuple(stamp), found) for path, stamp, found in hashes})
