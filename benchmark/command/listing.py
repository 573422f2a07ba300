"""What `bench list` prints: every registered name, or everything about one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from benchmark.errors import UsageError, suggest
from benchmark.maker import Spaced
from benchmark.options import describe
from benchmark.parts import answer
from benchmark.plugins.entry import Entry
from benchmark.plugins.summary import doc_of, first_sentence
from benchmark.registry import ALL, TASKS, Registry
from benchmark.report.columns import Column
from benchmark.report.costs import Cost
from benchmark.report.metrics import Metric
from benchmark.report.offered import offered, registered
from benchmark.space import Axis, Choice, Integer, Native, Space

# characters of a line, above which the origin has one of its own
_WIDE = 150
_COLUMNS: Mapping[str, type[Column]] = {"metric": Metric, "cost": Cost}


def every_name() -> Iterator[str]:
    """A line for each registered name, under a heading for each kind; imports metrics and costs."""
    for registry in ALL:
        yield f"{registry.kind}s"
        entries = registry.complete()
        wide = max(map(len, entries), default=0)
        for name, entry in sorted(entries.items()):
            line = f"  {name:<{wide}}  {_summary(registry, entry)}".rstrip()
            origin = "" if entry.built_in else f"({entry.origin})"
            whole = f"{line} {origin}".rstrip()
            yield from [whole] if len(whole) <= _WIDE else [line, f"  {'':<{wide}}  {origin}"]
        yield ""
    yield "`bench list NAME` shows everything about one name."
    yield (
        "`bench run --method METHODS --task TASK` runs, "
        "`bench fetch DATA_SET --data-dir DIR` downloads."
    )


def warnings() -> Iterator[str]:
    """The entry points of installed packages that could not be added, and why."""
    for registry in ALL:
        registry.complete()
        yield from registry.warnings


def _summary(registry: Registry[Any], entry: Entry[Any]) -> str:
    # a metric is no class whose source could be read; every report imports all of them anyway
    kind = _COLUMNS.get(registry.kind)
    if kind is None:
        return entry.summary
    found = offered(registry, entry.name, kind)
    return "broken" if found is None else found.about.rstrip(".")


def about(name: str) -> Iterator[str]:
    """Everything about a name, of each kind that has it. Raises UsageError for an unknown one."""
    found = [r for r in ALL if name in r.complete()]
    if not found:
        every = sorted({n for r in ALL for n in r.complete()})
        raise UsageError(
            f"unknown name {name!r}{suggest(name, every)}; `bench list` shows every name"
        )
    for k, registry in enumerate(found):
        yield from ([""] if k else [])
        yield from _one(registry, name)


def _one(registry: Registry[Any], name: str) -> Iterator[str]:
    kind = _COLUMNS.get(registry.kind)
    thing = registry.get(name) if kind is None else registered(registry, name, kind)
    yield f"{name}: {registry.kind}, {registry.entries[name].origin}"
    text = doc_of(thing) or first_sentence(thing) or "no description"
    yield from (f"  {line}".rstrip() for line in text.splitlines())
    if registry is TASKS:
        yield from _task(name, thing)
    if isinstance(thing, Column):
        yield from (f"  {line}" for line in thing.described())
    options = describe(thing) if inspect.isclass(thing) and is_dataclass(thing) else []
    if options:
        yield from ("", "options")
        for option, default, allowed, meaning in options:
            yield f"  --set {name}.{option}={default or '...'}  ({allowed}) {meaning}"


def _task(name: str, maker: Any) -> Iterator[str]:
    space = answer(f"task {name!r}", "its search space", lambda: space_of(maker), Space)
    yield from ("", "search space (axis, range, scale, default, grid)")
    yield from (f"  {line}" for line in _axes(space))
    yield from ("", "presets (the first is the default)")
    for preset, settled in maker.presets.items():
        yield f"  {preset}: {_pairs(settled) or 'all options at their defaults'}"
    yield from ("", "lower-level solvers")
    lowers = list(maker.lowers)
    yield f"  {', '.join(lowers) if lowers[1:] else lowers[0] or 'one, without a name'}"
    if lowers[1:]:
        yield f"  {lowers[0]} for methods that use gradients, {lowers[-1]} for the others"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def space_of(maker: Any) -> Space:
    """The search space at a task's default options.

    Raises UsageError.
    """
    made = maker()
    if isinstance(made, Spaced):
        return made.space
    # with its smallest options opening takes seconds
    small = maker(**maker.smallest)
    found: Space = small.open(0, small.prompts()[0], small.lowers[-1], "cpu").space
    return found


def _axes(space: Space) -> Iterator[str]:
    for axis in space.axes:
        every = "all" if isinstance(axis, Choice) else "evenly spaced"
        grid = ", ".join(map(_value, axis.grid)) or every
        yield f"{axis.name}: {_span(axis)}, default {_value(axis.default)}, grid {grid}"


def _span(axis: Axis) -> str:
    if isinstance(axis, Choice):
        return f"one of {', '.join(axis.values)}"
    whole = ["whole numbers"] if isinstance(axis, Integer) else []
    scale = ["log"] if axis.log else [] if whole else ["linear"]
    return ", ".join([f"[{_value(axis.low)}, {_value(axis.high)}]", *whole, *scale])


def _value(value: Native) -> str:
    # every digit of a whole number: 1000000, not 1e+06
    return f"{value:g}" if isinstance(value, float) else str(value)
