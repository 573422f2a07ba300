"""An entry of a registry: where a name comes from, and how to get what it names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmark.errors import located
from benchmark.plugins.shadowed import own
from benchmark.plugins.summary import first_sentence, summary_of

T = TypeVar("T")
_BUILT_IN = "built-in"


@dataclass(frozen=True)
class Kind:
    """What is registered. name: in the singular.  table: "module:attribute" of the built-ins.

    group: of entry points.  reserved: words that mean something else where a name is expected.
    check: raises UsageError or ValueError for a name that this kind may not have.
    """

    name: str
    table: str
    group: str
    reserved: tuple[str, ...] = ()
    check: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered name: where it comes from, and how to get what it names.

    plugin: the file that registered it.  target: "module:attribute" of what was not imported yet.
    """

    name: str
    origin: str
    load: Callable[[], T]
    plugin: Path | None = None
    target: str = ""

    @property
    def built_in(self) -> bool:
        return self.origin.startswith(_BUILT_IN)

    @property
    def alone(self) -> bool:
        """Whether only this process has it, as what is defined in a script or a notebook."""
        return not (self.built_in or self.target or self.plugin is not None)

    @property
    def summary(self) -> str:
        """One sentence about it, read without importing what is not imported yet; or ""."""
        return summary_of(self.target) if self.target else first_sentence(self.load())


def built_in(name: str, thing: Any) -> Entry[Any]:
    """The entry of a table: "module:attribute", or the thing itself."""
    if isinstance(thing, str):
        return Entry(name, f"{_BUILT_IN} {thing}", partial(resolve, thing), target=thing)
    return Entry(name, _BUILT_IN, lambda: thing)


def from_package(point: EntryPoint) -> Entry[Any]:
    """The entry of an installed package's entry point."""
    return Entry(point.name, f"plug-in {point.value}", partial(_load, point), target=point.value)


def resolve(target: str) -> Any:
    """What a "module:attribute" of a table names. Raises UsageError, see `own`."""
    module, _, attribute = target.partition(":")
    # a user's tasks.py may hide the suite's package
    own(module)
    return getattr(importlib.import_module(module), attribute)


def defined_in(thing: Any) -> Path | None:
    """The file that defines it; None for what has none of its own, such as a partial."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(thing))
    except TypeError:
        return None
    return found if path and (found := Path(path).resolve()).is_file() else None


def blamed(error: BaseException, entry: Entry[Any], *parts: Any) -> str:
    """An error with its line in the code of what is registered, else with the file of that.

    parts: functions of its own, where the thing itself is none.
    """
    try:
        things = parts or (entry.load(),)
    # the error is that it cannot be loaded
    except (Exception, SystemExit):
        things = ()
    files = [*filter(None, (*map(defined_in, things), entry.plugin))]
    return located(error, files, instead=files)


def _load(point: EntryPoint) -> Any:
    """What an installed plug-in offers; its package's version goes into the records of runs."""
    thing = point.load()
    if point.dist is not None:
        from benchmark.device import record_version

        record_version(point.dist.name)
    return thing
