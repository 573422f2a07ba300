"""Files from elsewhere, read up to a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_bounded(path: Path, limit: int, *, pipe: bool = False) -> bytes:
    """The content. Raises ValueError for more than so many bytes, whatever its size is said to be, and OSError.

    Raises ValueError too for what is no file, unless it is a pipe and may be one: nobody may ever write into it.
    """
    if not pipe:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(path if pipe else fd, "rb") as file:
        if not pipe and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is no regular file")
        found = file.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    return found
