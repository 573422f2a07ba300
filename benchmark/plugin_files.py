"""The files that decide what a plug-in does: the modules beside it that it imports, which belong to a run's identity."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from benchmark.errors import SUITE, UsageError, within


def helpers(plugin: Path, before: Collection[str], folders: Collection[Path]) -> tuple[Path, ...]:
    """Modules in the plug-in's folder or below that it imports, at once or later, and those that its loading imported.

    What is installed there is none of them, nor is the suite itself.

    before: the names of modules that were there before it was loaded.  folders: of all plug-ins.
    Raises UsageError where a helper has the name of another plug-in's.
    """
    folder = plugin.parent
    found: set[Path] = set()
    waiting = [plugin]
    while waiting:
        new = {p for p in _imports(waiting.pop(), folder, folders) if p != plugin} - found
        found |= new
        waiting += new
    loaded = {Path(f).resolve() for n, m in list(sys.modules.items()) if n not in before and (f := _file(m))}
    return tuple(sorted(found | {p for p in loaded - {plugin} if within(p, [folder]) and not within(p, SUITE)}))


def _file(module: object) -> str | None:
    found = getattr(module, "__file__", None)
    return found if isinstance(found, str) and found.endswith(".py") else None


def _imports(path: Path, folder: Path, folders: Collection[Path]) -> Iterator[Path]:
    """Files in the folder that a file's import statements mean, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _named(alias.name, folder, folders)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1]
            for alias in node.names:
                yield from below(base, ".".join(filter(None, (node.module, alias.name))))
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield from _named(f"{node.module}.{alias.name}", folder, folders)


def _named(dotted: str, folder: Path, folders: Collection[Path]) -> Iterator[Path]:
    """Nothing where the first name means something else: a helper shadows no module that is found without it."""
    top = dotted.partition(".")[0]
    if not any((folder / name).exists() for name in (top, f"{top}.py")):
        return
    module = sys.modules.get(top)
    spec = getattr(module, "__spec__", None) if module is not None else importlib.util.find_spec(top)
    origins = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec is not None else []
    places = {Path(p).resolve() for p in origins}
    if places & {folder / f"{top}.py", folder / top / "__init__.py", folder / top}:
        yield from below(folder, dotted)
    elif hidden := {p for p in places if p.parent in folders}:
        raise UsageError(f"module {top!r} beside it is hidden by {min(hidden)} of another plug-in; rename one of them")


def below(base: Path, dotted: str) -> Iterator[Path]:
    """The module's file, and those of the packages that it lies in; a last part that is no module names something in it."""
    for part in dotted.split("."):
        base = base / part
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path.resolve()
