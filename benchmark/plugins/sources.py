"""The code that decides a run's numbers, as hashes for its identity.

A method's and a task's code is the file that defines it and, of the packages `methods` and `tasks`
and of the plug-in that it comes from, every file that those import: static imports, transitively,
inside functions too, and texts such as "tasks.package.module:Name", which are imports by name. Of
the harness it is HARNESS, with the suite's version.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.plugins.helpers import below, helpers
from benchmark.plugins.loaded import check_loaded
from benchmark.plugins.typed import reached, users_own

ROOT = Path(__file__).resolve().parents[2]
HARNESS = (
    "budget",
    "callback",
    "fitting",
    "protocol",
    "runs/active_run",
    "runs/runner",
    "search/clock",
    "search/facade",
    "search/gate",
    "search/guard",
    "search/loop",
    "search/measure",
    "search/meter",
    "search/metered",
    "search/price_check",
    "search/replay",
    "search/states",
    "seeds",
    "space",
)
"""The modules of `benchmark` between a method and a task; the others plan, store and show."""
_PACKAGES: Mapping[str, Path] = {"methods": ROOT, "tasks": ROOT}
# names of built-ins; a new one changes no number
_TABLES = {ROOT / name / "__init__.py" for name in _PACKAGES}
_BY_NAME = re.compile(r"(\w+(?:\.\w+)+)(?::\w+)?")


def suite() -> str:
    """The suite's version, and a hash of its harness."""
    files = (ROOT / "benchmark" / f"{name}.py" for name in HARNESS)
    return f"{__version__} {_digest(files, ROOT)[:16]}"


def digest(files: Collection[Path], thing: Any, base: Path | None, *, alone: bool = False) -> str:
    """One SHA-256 of files and what they import, and of what no file says.

    base: the folder that the files' names are relative to, so that a plug-in is the same one
        wherever it lies.  alone: only this process has the thing, so that files may not say all.
    Raises UsageError for what cannot be hashed.
    """
    text, reached_files = reached(thing) if alone or not files else (b"", set())
    start = {*files, *reached_files}
    # a plug-in file's helpers are among its files already; other code of the user's may have some
    if base is None:
        start |= {other for file in start if _users(file) for other in _beside(file)}
        check_loaded(file for file in start if _users(file))
    found = _with_imports(start, {**_PACKAGES, **_installed(thing)})
    whole = _digest(found, base or ROOT) if found else ""
    if not text:
        return whole or hashlib.sha256(b"").hexdigest()
    return hashlib.sha256(text + whole.encode()).hexdigest()


def _with_imports(files: set[Path], roots: Mapping[str, Path]) -> set[Path]:
    found, waiting = set(files), list(files)
    while waiting:
        path = waiting.pop()
        new = set(_imports(path, _bytes(path), tuple(roots.items()))) - found - _TABLES
        found |= new
        waiting += new
    return found


def _users(file: Path) -> bool:
    """Whether it is a file of the user's, and not a built-in."""
    return users_own(file) and not any(file.is_relative_to(ROOT / name) for name in _PACKAGES)


def _beside(file: Path) -> set[Path]:
    """The modules in its folder that a user's file imports."""
    try:
        return set(helpers(file, set(sys.modules), ()))
    # it was edited since it was imported, which `check_loaded` reports
    except SyntaxError:
        return set()


def _digest(files: Iterable[Path], base: Path) -> str:
    parts = []
    for path in files:
        folder = next((f for f in (base, ROOT) if path.is_relative_to(f)), path.parent)
        parts.append(
            f"{path.relative_to(folder).as_posix()} {hashlib.sha256(_bytes(path)).hexdigest()}"
        )
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _installed(thing: Any) -> dict[str, Path]:
    """By name, the folder of the installed package that something is part of."""
    top = str(getattr(thing, "__module__", "")).partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if not file or Path(file).name != "__init__.py" or top in ("benchmark", "tests"):
        return {}
    return {top: Path(file).resolve().parent.parent}


@lru_cache(maxsize=4096)
def _imports(path: Path, text: bytes, roots: tuple[tuple[str, Path], ...]) -> tuple[Path, ...]:
    """Cached by content, so that a plan reads files and parses none twice."""
    packages = dict(roots)
    found: set[Path] = set()
    try:
        tree = ast.parse(text, str(path))
    # Python reports it where the file is imported
    except (SyntaxError, ValueError):
        return ()
    inside = any(path.is_relative_to(r / p) for p, r in roots)
    for node in ast.walk(tree):
        for dotted in _named(node):
            top = dotted.partition(".")[0]
            if top in packages:
                found |= set(below(packages[top], dotted))
        if inside and isinstance(node, ast.ImportFrom) and node.level:
            found |= set(_relative(path, node))
    return tuple(sorted(found))


def _relative(path: Path, node: ast.ImportFrom) -> Iterator[Path]:
    """The files of `from .module import name`."""
    for alias in node.names:
        dotted = ".".join(filter(None, (node.module, alias.name)))
        yield from below(path.parents[node.level - 1], dotted)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (by := _BY_NAME.fullmatch(node.value))
    ):
        yield by[1]
