"""Code that no file says all of: typed into a notebook, made by a function, or defined twice.

It is hashed by its text and by the values that it uses: an edited helper in another cell is other
code too. What cannot be hashed by its value is refused, since a hash without it would be that of
another method too.
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from operator import attrgetter
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from benchmark.errors import SUITE, UsageError, within
from benchmark.plugins.live import (
    class_values,
    functions,
    global_values,
    in_file,
    instructions,
    is_made,
    own_values,
)

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), type(NotImplemented))
_LIBRARIES = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]


def reached(thing: Any) -> tuple[bytes, set[Path]]:
    """What the files do not say of a method or a task, and the user's own files that it reaches.

    b"" where the files say all. Raises UsageError for a value that cannot be hashed.
    """
    reach = _Reach()
    if isinstance(thing, FunctionType | type):
        reach.value(thing)
    else:
        reach.texts.append(reach.value(thing))
    return b"\n".join(reach.texts), reach.files


def users_own(path: Path) -> bool:
    """Whether a file is neither installed, nor Python's, nor of the harness."""
    inside = path.is_relative_to(SUITE[0]) or not within(path, [Path(path.anchor)])
    return not inside and not any(path.is_relative_to(folder) for folder in _LIBRARIES)


class _Reach:
    """A walk over all that some code uses, each thing once."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.files: set[Path] = set()
        # kept with its hash, so that no id of a value made on the way is given again
        self._known: dict[int, tuple[Any, bytes]] = {}
        self._depth = 0

    def value(self, thing: Any) -> bytes:
        """One value as bytes, the same in every process. Raises what its class raises."""
        if type(thing) in _PLAIN:
            return repr(thing).encode()
        if isinstance(thing, np.ndarray | np.generic) and not thing.dtype.hasobject:
            return _one(thing.dtype.str, thing.shape, thing.tobytes())
        if id(thing) not in self._known:
            # a value may hold itself
            self._known[id(thing)] = thing, _one("around", self._depth)
            self._depth += 1
            self._known[id(thing)] = thing, self._new(thing)
            self._depth -= 1
        return self._known[id(thing)][1]

    def _new(self, thing: Any) -> bytes:
        if isinstance(thing, ModuleType | ModuleSpec):
            return self._module(thing)
        if isinstance(thing, FunctionType):
            return self._function(thing)
        if isinstance(thing, type):
            return self._class(thing)
        torch = sys.modules.get("torch")
        # Python's copying of a tensor has bytes that differ from process to process
        if torch is not None and isinstance(thing, torch.Tensor):
            flat = thing.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            return _one("tensor", str(thing.dtype), tuple(thing.shape), flat.numpy().tobytes())
        return self._several(thing) or self._rebuilt(thing)

    def _several(self, thing: Any) -> bytes | None:
        if type(thing) in (list, tuple):
            return _one(type(thing).__name__, *map(self.value, thing))
        if type(thing) in (dict, MappingProxyType):
            return _one("dict", *(self.value(part) for pair in thing.items() for part in pair))
        if type(thing) in (set, frozenset):
            return _one("set", *sorted(map(self.value, thing)))
        if isinstance(thing, MethodType):
            return _one("method", self.value(thing.__self__), self.value(thing.__func__))
        if isinstance(thing, BuiltinFunctionType):
            owner = thing.__self__
            whose = b"" if owner is None or isinstance(owner, ModuleType) else self.value(owner)
            return _one("built-in", thing.__module__, thing.__qualname__, whose)
        return None

    def _rebuilt(self, thing: Any) -> bytes:
        """An object by what Python's own copying would make it of."""
        wrapped = getattr(thing, "__wrapped__", None)
        inner = self.value(wrapped) if callable(wrapped) else b""
        own = copyreg.dispatch_table.get(type(thing))
        reduced = thing.__reduce_ex__(4) if own is None else own(thing)
        if isinstance(reduced, str):
            return _one("name", type(thing).__module__, reduced, inner)
        parts = [list(p) if k > 2 and p is not None else p for k, p in enumerate(reduced[:5])]
        return _one(_name(type(thing)), inner, *map(self.value, parts))

    def _module(self, thing: ModuleType | ModuleSpec) -> bytes:
        if isinstance(thing, ModuleSpec):
            name, place = thing.name, thing.origin
        else:
            name, place = thing.__name__, getattr(thing, "__file__", None)
        self._own(place)
        return _one("module", name)

    def _own(self, place: object) -> Path | None:
        """The file at a place; the user's own are kept."""
        path = Path(place).resolve() if isinstance(place, str) else None
        if path is None or not path.is_file():
            return None
        self.files |= {path} if users_own(path) else set()
        return path

    def _function(self, function: FunctionType) -> bytes:
        name = _one(_name(function))
        if is_made(function) or _of_a_library(function):
            return name
        path = self._own(function.__code__.co_filename)
        own = path is None or path in self.files
        said = path is not None and in_file(function.__code__, path)
        if own and not said:
            self.texts.append(_text(function, path))
        self._values(function, own_values(function))
        # a script or a cell may give its names other values between two runs
        if own and (not said or function.__module__ == "__main__"):
            self._values(function, global_values(function))
        # what a decorator wraps need not be one of its values
        if isinstance(below := getattr(function, "__wrapped__", None), FunctionType):
            self.value(below)
        return name

    def _class(self, kind: type) -> bytes:
        path = self._own(getattr(sys.modules.get(kind.__module__), "__file__", None))
        if not _of_a_library(kind) and (path is None or path in self.files):
            for part in (*kind.__bases__, *functions(kind)):
                self.value(part)
            self._values(kind, class_values(kind))
        return _one(_name(kind))

    def _values(self, whose: Any, named: Iterable[tuple[str, Any]]) -> None:
        """Texts of values by their names; none of what its name says already."""
        for name, found in named:
            try:
                value = self.value(found)
            except UsageError:
                raise
            # an object's own code may raise anything
            except Exception as error:
                raise UsageError(
                    f"{whose.__qualname__} uses {name}: expected a value that can be hashed, got "
                    f"a {type(found).__name__}; make it inside the function, or put the function "
                    "into a plug-in file"
                ) from error
            if not isinstance(found, ModuleType | ModuleSpec) and not _says(name, found):
                self.texts.append(_one(_name(whose), name, value))


def _says(name: str, thing: Any) -> bool:
    """Whether a thing has this name as its own, as after `def` and `import`."""
    return isinstance(thing, FunctionType | type) and thing.__qualname__ == name


def _of_a_library(thing: Any) -> bool:
    """Whether an installed module, Python or the harness has this very thing by its name."""
    module = sys.modules.get(thing.__module__ or "")
    file = getattr(module, "__file__", None)
    if module is None or thing.__module__ == "__main__":
        return False
    if isinstance(file, str) and users_own(Path(file).resolve()):
        return False
    try:
        return attrgetter(thing.__qualname__)(module) is thing
    except AttributeError:
        return False


def _name(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _one(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def _text(function: FunctionType, path: Path | None) -> bytes:
    """The source, or the instructions where that is not all, as after `exec`."""
    # a line may have two lambdas, and a file two functions of one name
    if path is None and function.__name__ != "<lambda>":
        try:
            return inspect.getsource(function.__code__).encode()
        except (OSError, TypeError):
            pass
    return b"\n".join(instructions(function.__code__))
