"""The space of a search as run.json holds it, so that a reader need not open the task again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmark.space import Axis, Choice, Float, Integer, Space

_KINDS: dict[type[Any], str] = {Float: "float", Integer: "integer", Choice: "choice"}


def as_json(space: Space) -> list[dict[str, Any]]:
    """Each axis with all that it is made of, in native units."""
    return [{"kind": _KINDS[type(axis)], **vars(axis)} for axis in space.axes]


def from_json(axes: Iterable[Mapping[str, Any]]) -> Space:
    """The inverse, of what passed the schema. Raises ValueError."""
    return Space(tuple(map(_axis, axes)))


def _axis(found: Mapping[str, Any]) -> Axis:
    name, default, grid = found["name"], found["default"], tuple(found["grid"])
    if found["kind"] == "choice":
        return Choice(name, tuple(found["values"]), str(default), tuple(map(str, grid)))
    low, high, log = found["low"], found["high"], found.get("log", False)
    if found["kind"] == "float":
        return Float(name, low, high, float(default), log, tuple(map(float, grid)))
    whole = (int(low), int(high), int(default))
    return Integer(name, *whole, tuple(map(int, grid)), log)
