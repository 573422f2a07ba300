"""The code that decides a run's numbers, as hashes for its identity.

A method's and a task's code is the file that defines it and, of the packages `methods` and `tasks` and of the plug-in
that it comes from, every file that those import: static imports, transitively, inside functions too, and texts such as
"tasks.package.module:Name", which are imports by name. Of the harness it is HARNESS, with the suite's version.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.plugin_files import below

ROOT = Path(__file__).resolve().parent.parent
HARNESS = (
    "budget", "clock", "facade", "fitting", "guard", "measure", "metered", "protocol", "runner", "seeds", "space",
)  # fmt: skip
"""The modules of `benchmark` between a method and a task while numbers come about; the others plan, store and show."""
_PACKAGES: Mapping[str, Path] = {"methods": ROOT, "tasks": ROOT}
_TABLES = {ROOT / name / "__init__.py" for name in _PACKAGES}  # names of built-ins; a new one changes no number
_BY_NAME = re.compile(r"(\w+(?:\.\w+)+)(?::\w+)?")


def suite() -> str:
    """The suite's version, and a hash of its harness."""
    return f"{__version__} {_digest((ROOT / 'benchmark' / f'{name}.py' for name in HARNESS), ROOT)[:16]}"


def digest(files: Collection[Path], thing: Any, base: Path | None) -> str:
    """One SHA-256 of files and what they import; of the code object itself where there is no file, as in a notebook.

    base: the folder that the files' names are taken from; a plug-in is the same one wherever it lies.
    """
    roots = {**_PACKAGES, **_installed(thing)}
    found, waiting = set(files), list(files)
    while waiting:
        path = waiting.pop()
        new = set(_imports(path, _bytes(path), tuple(roots.items()))) - found - _TABLES
        found |= new
        waiting += new
    return _digest(found, base or ROOT) if found else hashlib.sha256(_text(thing)).hexdigest()


def _digest(files: Iterable[Path], base: Path) -> str:
    parts = []
    for path in files:
        folder = next((f for f in (base, ROOT) if path.is_relative_to(f)), path.parent)
        parts.append(f"{path.relative_to(folder).as_posix()} {hashlib.sha256(_bytes(path)).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _installed(thing: Any) -> dict[str, Path]:
    """The package that something installed is part of, by its name: the folder that it lies in."""
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
    except (SyntaxError, ValueError):  # said where it is imported
        return ()
    for node in ast.walk(tree):
        for dotted in _named(node):
            top = dotted.partition(".")[0]
            if top in packages:
                found |= set(below(packages[top], dotted))
        if isinstance(node, ast.ImportFrom) and node.level and any(path.is_relative_to(r / p) for p, r in roots):
            for alias in node.names:
                found |= set(below(path.parents[node.level - 1], ".".join(filter(None, (node.module, alias.name)))))
    return tuple(sorted(found))


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (by := _BY_NAME.fullmatch(node.value)):
        yield by[1]


def _text(thing: Any) -> bytes:
    """What there is of code without a file: its text, or its instructions."""
    try:
        return inspect.getsource(thing).encode()
    except (OSError, TypeError):
        parts = [thing, *vars(thing).values()] if isinstance(thing, type) else [thing]
        codes = [c for p in parts if (c := getattr(p, "__code__", None)) is not None]
        return b"\n".join(part for code in codes for part in _instructions(code))


def _instructions(code: Any) -> Iterator[bytes]:
    """Without addresses and line numbers, which differ from process to process."""
    yield from (code.co_code, repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from _instructions(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant).encode()
