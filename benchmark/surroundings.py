"""What the calling process left to a command: streams, their encoding, settings of libraries. None of it may decide a run."""

from __future__ import annotations

import _thread
import codecs
import os
import sys
import warnings
from contextlib import suppress
from io import TextIOWrapper

_PLAIN = {"↓": "v", "↑": "^", "†": "+", "‡": "#", "§": "$", "±": "~", "×": "x", "—": "-", "–": "-", "…": "."}


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """One ASCII character for each that a stream cannot show, so that columns stay in line."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error("stand_in", _stand_in)


def _open_standard() -> None:
    """Whoever closed one of the first three would find the next file that is opened in its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)  # the lowest free number is this very one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _once_more(lost: sys.UnraisableHookArgs) -> None:
    """A Ctrl-C that comes in a callback, of which imports have many, is lost there."""
    if lost.exc_type is KeyboardInterrupt:
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(lost)


def settle() -> None:
    """Streams that are there and show any character; a warning is never an error; no backend of a notebook.

    For a process of its own only: who imports the suite keeps all of that.
    """
    _open_standard()
    sys.unraisablehook = _once_more
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="stand_in")
    for action, message, category, module, line in list(warnings.filters):
        if action == "error":
            warnings.filters.remove((action, message, category, module, line))  # type: ignore[attr-defined]
            os.environ.pop("PYTHONWARNINGS", None)  # a worker imports much before it comes here
    os.environ["MPLBACKEND"] = "Agg"  # Jupyter hands down one that may not be there, and then matplotlib has none
