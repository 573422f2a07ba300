"""Files from elsewhere, read up to a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_bounded(path: Path, limit: int, *, pipe: bool = False) -> bytes:
    """The content. Raises OSError, and ValueError for more than `limit` bytes.

    pipe: a pipe may stand for the file, which else is a ValueError.
    """
    # without O_NONBLOCK, opening a pipe waits for a writer that may never come
    if not pipe:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(path if pipe else fd, "rb") as file:
        if not pipe and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is no regular file")
        # what is read counts, for the size that the system states may be another by now
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    return content
