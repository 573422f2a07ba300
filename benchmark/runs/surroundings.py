"""Streams, encodings and settings of libraries that a command inherits; none may decide a run."""

from __future__ import annotations

import _thread
import codecs
import os
import sys
import warnings
from contextlib import suppress
from io import TextIOWrapper

_PLAIN = {
    "↓": "v",
    "↑": "^",
    "†": "+",
    "‡": "#",
    "§": "$",
    "±": "~",
    "×": "x",
    "—": "-",
    "–": "-",
    "…": ".",
}


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """One ASCII character for each that a stream cannot show, so that columns stay in line."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error("stand_in", _stand_in)


def _open_standard() -> None:
    """Open the standard streams that the caller closed, on the null device."""
    # else the next file that is opened takes their number, and what is printed goes into it
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number is this very one, so nothing is left to be closed
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _once_more(lost: sys.UnraisableHookArgs) -> None:
    """Raise a Ctrl-C again that came inside a callback."""
    # imports have many callbacks, and Python only prints what is raised in one
    if lost.exc_type is KeyboardInterrupt:
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(lost)


def print_code(text: str) -> None:
    """Print what a machine reads: in UTF-8, whatever the terminal's encoding."""
    sys.stdout.flush()
    # a caller in Python may have put any stream there
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()
    else:
        print(text, end="")


def settle() -> None:
    """Open streams that show any character; no warning is an error; no backend of a notebook.

    For a process of its own only: a program that imports the suite keeps its own.
    """
    _open_standard()
    sys.unraisablehook = _once_more
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="stand_in")
    for action, message, category, module, line in list(warnings.filters):
        if action == "error":
            entry = (action, message, category, module, line)
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
            # a worker imports much before it comes here
            os.environ.pop("PYTHONWARNINGS", None)
    # Jupyter hands down a backend that may not be there, and then matplotlib has none
    os.environ["MPLBACKEND"] = "Agg"
