"""Options of methods and tasks: typed fields of a dataclass, with range and source of default."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
from collections.abc import Mapping
from typing import Any, get_type_hints

from benchmark.errors import UsageError, suggest

_EXPECTED: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def option(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    later: bool = False,
    place: bool = False,
) -> Any:
    """A field of a dataclass of options: a bool, an int, a float or a str.

    text: what it means and the source of its default.  low, high: the closed range of a number.
    choices: the texts that it may be.
    later: it came after results were stored; its default is what was done before, and is no part
        of a run's identity.
    place: it says where something lies; what lies there is hashed in the fingerprint, so the place
        itself is no part of a run's identity.
    """
    about = {
        "text": text,
        "low": low,
        "high": high,
        "choices": choices,
        "later": later,
        "place": place,
    }
    return dataclasses.field(default=default, metadata=about)


def describe(kind: type) -> list[tuple[str, str, str, str]]:
    """(name, default, what is allowed, text) of each option of a class."""
    hints = get_type_hints(kind)
    found = []
    for f in dataclasses.fields(kind):
        if "text" in f.metadata:
            allowed = (
                " | ".join(f.metadata["choices"])
                or f"{hints[f.name].__name__} {_span(f.metadata)}".strip()
            )
            found.append((f.name, str(f.default), allowed, str(f.metadata["text"])))
    return found


def _span(limits: Mapping[str, Any]) -> str:
    low, high = limits["low"], limits["high"]
    if low is None and high is None:
        return ""
    return f"[{'-inf' if low is None else f'{low:g}'}, {'inf' if high is None else f'{high:g}'}]"


def check(owner: str, kind: Any, values: Mapping[str, object]) -> dict[str, Any]:
    """Typed values from texts, or values of a suite file or of Python. Raises UsageError."""
    every = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    fields = {f.name: f for f in every if "text" in f.metadata}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise UsageError(
                f"unknown option {owner}.{name}{suggest(name, fields)}; {owner} has: {known}"
            )
        wanted = get_type_hints(kind)[name]
        checked[name] = _convert(f"{owner}.{name}", wanted, value, fields[name].metadata)
    return checked


def _convert(name: str, wanted: type, value: object, limits: Mapping[str, Any]) -> object:
    typed = _typed(name, wanted, value)
    choices, low, high = limits["choices"], limits["low"], limits["high"]
    if choices and typed not in choices:
        near = suggest(str(typed), choices)
        raise UsageError(
            f"option {name}: expected one of {', '.join(choices)}, got {value!r}{near}"
        )
    # a NaN lies in no range, not even in one without ends
    if isinstance(typed, int | float) and not (
        (low is None or typed >= low) and (high is None or typed <= high) and not math.isnan(typed)
    ):
        raise UsageError(f"option {name}: expected a value in {_span(limits)}, got {value!r}")
    return typed


def _typed(name: str, wanted: type, value: object) -> object:
    try:
        # a text may stand for a value of any type, as a number or a path may for a text
        if not isinstance(value, str | bool | numbers.Real | os.PathLike):
            raise ValueError(value)
        if wanted is bool:
            return {"true": True, "false": False}[str(value).lower()]
        # by its text, so that 3.0 is no whole number and "3" is one, whoever gives it
        return wanted(str(value))
    except (ValueError, KeyError, OverflowError):
        kind = _EXPECTED.get(wanted, f"a {wanted.__name__}")
        raise UsageError(f"option {name}: expected {kind}, got {value!r}") from None


def values(thing: Any) -> dict[str, Any]:
    """Every option of an instance that is part of a run's identity; empty for a plain function."""
    return {
        f.name: value
        for f, value in _options(thing)
        if not f.metadata["place"] and not (f.metadata["later"] and value == f.default)
    }


def places(thing: Any) -> dict[str, Any]:
    """The options of an instance that say where something lies, where they were given."""
    return {
        f.name: value for f, value in _options(thing) if f.metadata["place"] and value != f.default
    }


def _options(thing: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    if not dataclasses.is_dataclass(thing):
        return []
    return [(f, getattr(thing, f.name)) for f in dataclasses.fields(thing) if "text" in f.metadata]
