"""Whether what is registered has the parts that the suite asks of it. Nothing of it is run here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from benchmark.errors import UsageError, located, shown
from benchmark.names import check_name

T = TypeVar("T")
TASK_PARTS = (
    "version",
    "presets",
    "lowers",
    "smallest",
    "prompts",
    "check_prompt",
    "fingerprint",
    "open",
)
# kinds that are called, and with what
_CALLED = {
    "method": "(problem, rng)",
    "executor": "(settings)",
    "plot": "(table)",
    "data set": "(...)",
}


def check_parts(kind: str, name: str, thing: Any) -> None:
    """Check the presets, lower-level solvers, options and calls of what is registered.

    Raises UsageError.
    """
    owner = f"{kind} {name!r}"
    if kind == "task":
        _check_task(owner, thing)
    fields = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    parts: dict[str, Iterable[object]] = {
        "preset": thing.presets if kind == "task" else (),
        "lower-level solver": [x for x in thing.lowers if x != ""] if kind == "task" else (),
        "option": [f.name for f in fields if "text" in f.metadata],
    }
    for part, names in parts.items():
        for each in names:
            check_name(f"{part} of {owner}", each)
    if kind in _CALLED and not _is_called(kind, thing):
        raise UsageError(
            f"{owner}: expected what is called with {_CALLED[kind]}, got {shown(thing)}; give it "
            "a __call__, or register a function"
        )
    if kind in ("task", "method") and isinstance(thing, type):
        _check_defaults(owner, fields)


def answer(owner: str, what: str, ask: Callable[[], T], kind: type | tuple[type, ...]) -> T:
    """What a plug-in says when it is asked, which is to be of a type.

    Raises UsageError, in one line that names it, where it raises anything or says something else.
    """
    try:
        found = ask()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{owner}: {what} failed: {located(error)}") from error
    if not isinstance(found, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(one.__name__ for one in kinds)
        raise UsageError(f"{owner}: {what}: expected a {names}, got {shown(found)}")
    return found


def _check_task(owner: str, thing: Any) -> None:
    if not isinstance(thing, type):
        raise UsageError(f"{owner}: expected a class of options, got {shown(thing)}")
    if missing := [part for part in TASK_PARTS if not hasattr(thing, part)]:
        raise UsageError(
            f"{owner}: expected a class as benchmark.maker.TaskMaker describes it, got one without "
            f"{', '.join(missing)}; add them"
        )
    kind: Any = thing
    presets, lowers, version = kind.presets, kind.lowers, kind.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise UsageError(f"{owner}: version: expected a whole number, got {shown(version)}")
    if not (isinstance(presets, Mapping) and presets and _all_mappings(presets.values())):
        raise UsageError(
            f"{owner}: presets: expected option values by name of one preset or more, got "
            f"{shown(presets)}"
        )
    if not (isinstance(lowers, tuple | list) and lowers):
        raise UsageError(
            f'{owner}: lowers: expected a tuple of names, ("",) for one without a name, got '
            f"{shown(lowers)}"
        )
    if not isinstance(kind.smallest, Mapping):
        raise UsageError(
            f"{owner}: smallest: expected option values by name, got {shown(kind.smallest)}"
        )


def _all_mappings(found: Iterable[object]) -> bool:
    return all(isinstance(one, Mapping) for one in found)


def _is_called(kind: str, thing: object) -> bool:
    # a class of a method's options is made first, and its instances are called
    if kind == "method" and isinstance(thing, type):
        return any("__call__" in base.__dict__ for base in thing.__mro__)
    return callable(thing)


def _check_defaults(owner: str, fields: Iterable[dataclasses.Field[Any]]) -> None:
    for field in fields:
        without = (field.default, field.default_factory) == (dataclasses.MISSING,) * 2
        if field.init and without:
            raise UsageError(
                f"{owner}: field {field.name!r}: expected a default, got none; write "
                f"{field.name}: ... = option(default, text)"
            )
