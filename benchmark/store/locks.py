"""File locks: one process at work on a run, whoever started it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.store.files import scratch_of


def take(fd: int, *, shared: bool = False) -> bool:
    """Take the lock; False where another process holds it. Raises OSError without locks.

    shared: beside others that share it.
    """
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, *, shared: bool = False, needed: bool = True) -> Iterator[bool]:
    """Hold a file's lock, see `take`; the file is made where it is missing.

    needed: whether a file system without locks is an error; else it counts as held. Raises OSError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            held = take(fd, shared=shared)
        except OSError:
            if needed:
                raise
            held = True
        yield held
    finally:
        os.close(fd)


def see_locks(folder: Path) -> None:
    """Raises UsageError where files cannot be locked, as on some network file systems."""
    probe = scratch_of(folder / "lockable")
    try:
        try:
            with locked(probe):
                pass
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"output {str(folder)!r}: expected a folder whose files can be locked, so that no two "
            f"processes do the same run; {error.strerror or error}; choose another --out, on a "
            "disk of this machine"
        ) from error
