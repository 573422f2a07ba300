"""A function as Python has it now, against the file that it came from.

A file says what a function does, unless it defines the name twice or something else made the
function.
"""

from __future__ import annotations

import dis
import importlib.util
import inspect
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

# a dataclass makes such functions of its fields
_MADE = "__create_fn__."
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_BODIES = (FunctionType, property, staticmethod, classmethod)


def functions(kind: type) -> Iterator[FunctionType]:
    """The functions in a class body, properties and methods of the class among them."""
    for part in vars(kind).values():
        inner = [getattr(part, name, None) for name in ("fget", "fset", "fdel", "func", "__func__")]
        for one in (part, *inner):
            if isinstance(one, FunctionType) and not is_made(one):
                yield one


def class_values(kind: type) -> Iterator[tuple[str, Any]]:
    """The values in a class body that are neither functions nor options, which a run records."""
    fields = getattr(kind, "__dataclass_fields__", {})
    options = {name for name, field in fields.items() if "text" in field.metadata}
    for name, value in vars(kind).items():
        slot = inspect.ismemberdescriptor(value) or inspect.isgetsetdescriptor(value)
        # Python's own bookkeeping; but an object may stand for a method, such as __call__
        kept = (name.startswith("__") or name == "_abc_impl") and not callable(value)
        if not (slot or kept or name in options or isinstance(value, _BODIES)):
            yield name, value


def is_made(function: FunctionType) -> bool:
    """Whether a dataclass made it, so that the fields say all of it."""
    return function.__code__.co_qualname.startswith(_MADE)


def in_file(code: CodeType, path: Path) -> bool:
    """Whether a file as it is now has this very code, and no other of its name."""
    try:
        found = _by_name(path.read_bytes(), str(path)).get(code.co_qualname, [])
    except (OSError, SyntaxError, ValueError):
        return False
    return found == [code]


@lru_cache(maxsize=64)
def _by_name(text: bytes, path: str) -> dict[str, list[CodeType]]:
    found: dict[str, list[CodeType]] = {}
    for code in codes(compile(text, path, "exec", dont_inherit=True)):
        found.setdefault(code.co_qualname, []).append(code)
    return found


def codes(code: CodeType) -> Iterator[CodeType]:
    """Its code and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def global_values(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What its global names mean now, and the specs of modules that it imports."""
    every = [step for code in codes(function.__code__) for step in dis.get_instructions(code)]
    for name in sorted({str(step.argval) for step in every if step.opname in _GLOBAL}):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name in sorted({str(step.argval) for step in every if step.opname == "IMPORT_NAME"}):
        # some put an object without a `__spec__` into sys.modules
        with suppress(ImportError, ValueError):
            if found := importlib.util.find_spec(name.partition(".")[0]):
                yield name, found


def own_values(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Its default arguments, and the values of the functions around it."""
    for k, value in enumerate(function.__defaults__ or ()):
        yield f"default argument {k + 1}", value
    yield from (function.__kwdefaults__ or {}).items()
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        # a cell may be empty
        with suppress(ValueError):
            yield name, cell.cell_contents


def instructions(code: CodeType) -> Iterator[bytes]:
    """Without addresses and line numbers, which differ from process to process."""
    yield from (code.co_code, repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from instructions(constant)
        else:
            # sets have another order in each process
            ordered = sorted(constant, key=repr) if isinstance(constant, frozenset) else constant
            yield repr(ordered).encode()
