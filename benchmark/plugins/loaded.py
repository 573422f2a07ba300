"""A user's modules as Python loaded them: a file that was edited since is not what would run."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmark.errors import UsageError

_FIRST: dict[Path, tuple[object, bytes]] = {}
"""By file: its module's `__spec__` and the file's hash, when it was first asked for."""


def check_loaded(files: Iterable[Path]) -> None:
    """Raises UsageError for a file that was edited after its module was first asked for.

    A module that is loaded again has another `__spec__`, so it is taken as new.
    """
    specs = {
        getattr(module, "__file__", None): getattr(module, "__spec__", None)
        for module in list(sys.modules.values())
    }
    for path in sorted(files):
        # what was loaded cannot be hashed any more, so the file at that time stands for it
        now = specs.get(str(path)), hashlib.sha256(path.read_bytes()).digest()
        loaded, content = _FIRST.setdefault(path, now)
        if loaded is not now[0]:
            _FIRST[path] = now
        elif loaded is not None and content != now[1]:
            raise UsageError(
                f"{path}: its code was changed after this process had loaded it; load it again "
                "with importlib.reload, or start Python again"
            )
