"""Files that the suite writes: as a whole, never through a link, and with one kind of error."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.errors import StorageError, UsageError


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns the system's error about a file that cannot be written into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def root_of(folder: Path) -> Path:
    """Where all runs lie, of which one has this folder."""
    # a run is TASK/METHOD/RUN below it; a copy may lie anywhere
    return Path(os.path.normpath(folder.absolute() / "../../.."))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replace the file as a whole, or not at all; a link is replaced. Raises OSError."""
    scratch = scratch_of(path)
    try:
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with os.fdopen(fd, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            # else a crash of the machine may leave the new name with no content
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise


def scratch_of(path: Path) -> Path:
    """A name beside a file for what will take its place."""
    # processes of two machines, or containers, may have one number and one folder
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


def see_new(path: Path, option: str, replace: bool) -> None:
    """Raises UsageError for an output file that is there without `replace`, and for no file."""
    # a device or a pipe would be replaced too
    if path.exists() and not (replace and path.is_file()):
        cure = "another name" if not path.is_file() else "--replace or another name"
        raise UsageError(
            f"{option} {str(path)!r}: expected a file that is not there yet; give {cure}"
        )


def make_folder(path: Path) -> None:
    """Make a folder for output, and see that it can be written. Raises UsageError."""
    probe = scratch_of(path / "writable")
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"output {str(path)!r}: expected a folder that can be written; {error}"
        ) from error


class Lines:
    """A file to which lines are added; one that cannot be written is a StorageError."""

    def __init__(
        self, path: Path, *, keep: bool = False, before: Callable[[], None] = lambda: None
    ) -> None:
        """before: called before each write."""
        self._path, self._before = path, before
        # a link in a folder from elsewhere must not lead out of it, nor a pipe make us wait
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        flags |= os.O_APPEND if keep else os.O_TRUNC
        with storing(path):
            self._file = os.fdopen(os.open(path, flags, 0o644), "a", encoding="utf-8")

    def write(self, text: str) -> None:
        self._before()
        with storing(self._path):
            self._file.write(text)

    def flush(self) -> None:
        self._before()
        with storing(self._path):
            self._file.flush()

    def close(self) -> None:
        self._before()
        with suppress(OSError):
            self._file.close()
