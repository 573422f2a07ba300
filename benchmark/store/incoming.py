"""Where what comes from elsewhere lies until it is whole: below the root, and no run's folder.

A driver that was killed leaves its own there; the next one removes it.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

INCOMING = ".incoming"


@contextmanager
def incoming(root: Path, name: str) -> Iterator[Path]:
    """A name for a folder of this process's own, which is gone afterwards. Raises OSError."""
    path = root / INCOMING / f"{name}.{os.getpid()}.{socket.gethostname()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        # another's may lie beside it
        with suppress(OSError):
            path.parent.rmdir()


def remove_stale(root: Path) -> None:
    """Remove what processes of this machine left that are gone."""
    with suppress(OSError):
        for path in (root / INCOMING).iterdir():
            _, _, rest = path.name.partition(".")
            number, _, host = rest.partition(".")
            if host == socket.gethostname() and number.isdecimal() and not _is_alive(int(number)):
                shutil.rmtree(path, ignore_errors=True)
        (root / INCOMING).rmdir()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # another user's, or no number of a process
    except (OSError, OverflowError):
        return True
    return True
