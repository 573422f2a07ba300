"""The modules beside a plug-in that it imports, which belong to its runs' identity."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from benchmark.errors import SUITE, UsageError, within


def helpers(plugin: Path, before: Collection[str], folders: Collection[Path]) -> tuple[Path, ...]:
    """Modules in the plug-in's folder or below that it imports, at once or later.

    Also those that its loading imported; not what is installed there, nor the suite itself.
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
    # a plug-in may also import by a text, which no import statement shows
    loaded = {
        Path(f).resolve()
        for n, m in list(sys.modules.items())
        if n not in before and (f := _file(m))
    }
    beside = {p for p in loaded - {plugin} if within(p, [folder]) and not within(p, SUITE)}
    return tuple(sorted(found | beside))


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
    """The files that a name means, where it means a helper."""
    # the plug-in's folder is last on the path: a json.py in it is not what `import json` finds
    top = dotted.partition(".")[0]
    if not any((folder / name).exists() for name in (top, f"{top}.py")):
        return
    module = sys.modules.get(top)
    # some put an object without a `__spec__` into sys.modules
    loaded = getattr(module, "__spec__", None)
    spec = loaded if module is not None else importlib.util.find_spec(top)
    origins = [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or ())]
    places = {Path(p).resolve() for p in origins}
    if places & {folder / f"{top}.py", folder / top / "__init__.py", folder / top}:
        yield from below(folder, dotted)
    elif hidden := {p for p in places if p.parent in folders}:
        raise UsageError(
            f"module {top!r} beside it is hidden by {min(hidden)} of another plug-in; rename one "
            "of them"
        )


def below(base: Path, dotted: str) -> Iterator[Path]:
    """The module's file, and those of the packages that it lies in."""
    # a last part that is no module names something in it
    for part in dotted.split("."):
        base = base / part
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path.resolve()
