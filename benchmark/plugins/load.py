"""Plug-ins given as files: a Python file that is run for the sake of what it registers."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path

from benchmark.errors import UsageError, located
from benchmark.plugins.helpers import helpers

_HELPERS: dict[Path, tuple[Path, ...]] = {}
"""By plug-in file: the modules beside it that it imports."""
_LOADING: list[Path] = []


def at_work() -> Path | None:
    """The plug-in that is being loaded now, to which what is registered belongs."""
    return _LOADING[-1] if _LOADING else None


def helpers_of(plugin: Path) -> tuple[Path, ...]:
    """The modules beside a plug-in that it imports; they belong to its code."""
    return _HELPERS.get(plugin, ())


def loaded() -> list[str]:
    """The names of the files, in the order of loading."""
    return [path.name for path in _HELPERS]


def load_plugin(path: Path) -> None:
    """Run a Python file for the sake of its decorators; modules beside it can be imported.

    Raises UsageError when it is missing or broken.
    """
    if not path.is_file():
        raise UsageError(f"plug-in {path}: no such file")
    spec = importlib.util.spec_from_file_location(f"bench_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plug-in {path}: expected a Python file (.py)")
    file, before = path.resolve(), set(sys.modules)
    if str(file.parent) not in sys.path:
        # last, so that a tasks.py or json.py beside it shadows nothing
        sys.path.append(str(file.parent))
    module = importlib.util.module_from_spec(spec)
    # dataclasses and inspect look for it there
    sys.modules[spec.name] = module
    _LOADING.append(file)
    try:
        # what it prints is no part of a table or a script on standard output
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
        _HELPERS[file] = helpers(file, before | {spec.name}, {f.parent for f in _HELPERS})
    except UsageError as error:
        raise UsageError(f"plug-in {path}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"plug-in {path} cannot be loaded: {located(error, [file.parent])}"
        ) from error
    finally:
        _LOADING.pop()
