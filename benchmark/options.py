"""Options of methods and tasks: the typed fields of a dataclass, with their range and where their default comes from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, get_type_hints

from benchmark.errors import UsageError, suggest


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
    """A dataclass field. text: what it means and the source of its default. low, high: the closed range.

    later: came after results were stored; its default is what was done before, and leaves their identities alone.
    place: says where something lies; what lies there is hashed in the fingerprint, so the place itself is no part of
    a run's identity.
    """
    about = {"text": text, "low": low, "high": high, "choices": choices, "later": later, "place": place}
    return dataclasses.field(default=default, metadata=about)


def describe(kind: type) -> list[tuple[str, str, str, str]]:
    """(name, default, what is allowed, text) of each option of a class."""
    hints = get_type_hints(kind)
    found = []
    for f in dataclasses.fields(kind):
        if "text" in f.metadata:
            allowed = " | ".join(f.metadata["choices"]) or f"{hints[f.name].__name__} {_span(f.metadata)}".strip()
            found.append((f.name, str(f.default), allowed, str(f.metadata["text"])))
    return found


def _span(limits: Mapping[str, Any]) -> str:
    low, high = limits["low"], limits["high"]
    if low is None and high is None:
        return ""
    return f"[{'-inf' if low is None else f'{low:g}'}, {'inf' if high is None else f'{high:g}'}]"


def check(owner: str, kind: Any, values: Mapping[str, object]) -> dict[str, Any]:
    """Typed values from what a user wrote (strings, or values of a suite file). Raises UsageError."""
    fields = (
        {f.name: f for f in dataclasses.fields(kind) if "text" in f.metadata} if dataclasses.is_dataclass(kind) else {}
    )
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise UsageError(f"unknown option {owner}.{name}{suggest(name, fields)}; {owner} has: {known}")
        wanted = get_type_hints(kind)[name]
        checked[name] = _convert(f"{owner}.{name}", wanted, value, fields[name].metadata)
    return checked


def _convert(name: str, wanted: type, value: object, limits: Mapping[str, Any]) -> object:
    try:
        if wanted is bool:
            found: object = {"true": True, "false": False}[str(value).lower()]
        else:
            found = wanted(str(value))
    except (ValueError, KeyError):
        kind = "true or false" if wanted is bool else {"int": "a whole number", "float": "a number"}[wanted.__name__]
        raise UsageError(f"option {name}: expected {kind}, got {value!r}") from None
    if limits["choices"] and found not in limits["choices"]:
        near = suggest(str(found), limits["choices"])
        raise UsageError(f"option {name}: expected one of {', '.join(limits['choices'])}, got {value!r}{near}")
    low, high = limits["low"], limits["high"]
    if isinstance(found, int | float) and not (
        (low is None or found >= low) and (high is None or found <= high) and not math.isnan(found)
    ):
        raise UsageError(f"option {name}: expected a value in {_span(limits)}, got {value!r}")
    return found


def values(thing: Any) -> dict[str, Any]:
    """Every option of an instance that is part of a run's identity; empty for a plain function."""
    return {
        f.name: value
        for f, value in _options(thing)
        if not f.metadata["place"] and not (f.metadata["later"] and value == f.default)
    }


def places(thing: Any) -> dict[str, Any]:
    """The options of an instance that say where something lies, where they were given."""
    return {f.name: value for f, value in _options(thing) if f.metadata["place"] and value != f.default}


def _options(thing: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    if not dataclasses.is_dataclass(thing):
        return []
    return [(f, getattr(thing, f.name)) for f in dataclasses.fields(thing) if "text" in f.metadata]
