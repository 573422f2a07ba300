"""What a method can reach by attributes, private ones too; not by a closure's cells or gc."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

_LEAVES = (
    type,
    types.ModuleType,
    str,
    bytes,
    int,
    float,
    complex,
    np.ndarray,
    np.generic,
    type(None),
)
_METHODS = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_PASSED_BY = frozenset(dir(object)) | {
    "__dict__",
    "__weakref__",
    "__closure__",
    "__globals__",
    "__builtins__",
    "__code__",
}
# steps from what a method is given, and objects: a library's attributes lead anywhere
_DEEP, _MANY = 8, 20_000

Found = list[tuple[str, object]]


def reached(roots: Mapping[str, object]) -> Found:
    """(path, object) of each object once, by its shortest path, such as `problem._task`."""
    found: Found = list(roots.items())
    seen = {id(thing) for thing in roots.values()}
    begin = 0
    for _ in range(_DEEP):
        end = len(found)
        for path, thing in found[begin:end]:
            for name, inner in _inside(thing):
                if id(inner) not in seen and len(found) < _MANY:
                    seen.add(id(inner))
                    # held in the list, so that its id is not given to another
                    found.append((path + name, inner))
        begin = end
    return found


def _inside(thing: object) -> Iterator[tuple[str, object]]:
    if isinstance(thing, _LEAVES):
        return
    if isinstance(thing, _METHODS):
        names: list[str] = ["__self__", "__func__"]
    elif isinstance(thing, types.FunctionType):
        names = ["__defaults__", "__kwdefaults__", *vars(thing)]
    else:
        yield from _items(thing)
        names = _names(thing)
    for name in names:
        # an attribute that cannot be read is not reached
        with suppress(Exception):
            yield f".{name}", getattr(thing, name)


def _names(thing: object) -> list[str]:
    names = {*dir(thing), *getattr(thing, "__dict__", {})}
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            # Python changes the name of a private slot
            private = name.startswith("__") and not name.endswith("__")
            names.add(f"_{kind.__name__.lstrip('_')}{name}" if private else name)
    return sorted(names - _PASSED_BY)


def _items(thing: object) -> Iterator[tuple[str, object]]:
    with suppress(Exception):
        if isinstance(thing, Mapping):
            yield from ((f"[{key!r}]", value) for key, value in thing.items())
        elif isinstance(thing, list | tuple | set | frozenset):
            yield from ((f"[{k}]", value) for k, value in enumerate(thing))


@dataclass(frozen=True)
class Number:
    """A number that can be reached. name: its holder's attribute; "" in a container."""

    holder: object
    name: str
    value: float

    @property
    def settable(self) -> bool:
        if not self.name:
            return isinstance(self.holder, dict | list)
        # set to what it is already, so that the check changes nothing
        try:
            setattr(self.holder, self.name, self.value)
        except Exception:
            return False
        return True


def numbers(found: Found) -> dict[str, Number]:
    """By path, such as `problem.nfe`."""
    counts: dict[str, Number] = {}
    for path, thing in found:
        for name, value in _inside(thing):
            if isinstance(value, int | float) and not isinstance(value, bool):
                counts[path + name] = Number(
                    thing, name.removeprefix(".") if name[0] == "." else "", value
                )
    return counts


def ways(
    roots: Mapping[str, object], hidden: Iterable[tuple[str, object]], before: Mapping[str, Number]
) -> list[str]:
    """What a method could misuse: hidden objects, a measurement, counters that it can set.

    hidden: (name in messages, object).  before: the numbers that were reached before some requests,
        which moved every counter.
    """
    found = reached(roots)
    names = {id(thing): name for name, thing in hidden}
    wrong = [f"{path} is {names[id(thing)]}" for path, thing in found if id(thing) in names]
    wrong += [
        f"{path} can be called"
        for path, thing in found
        if path.endswith(".test") and callable(thing)
    ]
    moved = {p: n for p, n in numbers(found).items() if p in before and before[p].value != n.value}
    return wrong + [
        f"{path} counts and can be set" for path, number in moved.items() if number.settable
    ]
