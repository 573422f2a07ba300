"""The suite's own packages, which a user's file of the same name may hide.

`methods` and `tasks` are common words, and Python takes the first folder of its path that has one:
a `tasks.py` in the working directory comes before what is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from benchmark.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("methods", "tasks")


def own(module: str) -> None:
    """Raises UsageError where Python would import another module than the suite's."""
    top = module.partition(".")[0]
    if top not in PACKAGES:
        return
    found, wanted = _place(top), ROOT / top
    if found != wanted:
        raise UsageError(
            f"module {top!r}: expected the suite's package {wanted}, Python finds "
            f"{found or 'none'}; rename that one, or {_elsewhere(found)}"
        )


def check_packages() -> None:
    """See `own`, for all of the suite's packages."""
    for name in PACKAGES:
        own(name)


def _elsewhere(found: Path | None) -> str:
    """What helps beside renaming."""
    # a script's own folder is first on its path, wherever it is started
    script = getattr(sys.modules["__main__"], "__file__", None)
    beside = script and found and Path(script).resolve().parent == found.parent
    return "move the script" if beside else "start in another folder"


def _place(top: str) -> Path | None:
    """The folder of a package, or the file of a module, by name. Imports nothing."""
    loaded = sys.modules.get(top)
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    origin = spec.origin if spec is not None else getattr(loaded, "__file__", None)
    # a folder without __init__.py has no origin
    if origin is None:
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        return Path(places[0]).resolve() if places else None
    path = Path(origin).resolve()
    return path.parent if path.name == "__init__.py" else path
