"""Files to which lines are added, and what is said where the system cannot write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.errors import StorageError


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be written into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


class Lines:
    """A file to which lines are added; one that cannot be written is a StorageError."""

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_APPEND if keep else os.O_TRUNC)
        with storing(path):  # a link in a folder from elsewhere must not lead out of it
            self._file = os.fdopen(os.open(path, flags, 0o644), "a", encoding="utf-8")

    def write(self, text: str) -> None:
        with storing(self._path):
            self._file.write(text)

    def flush(self) -> None:
        with storing(self._path):
            self._file.flush()

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()
