"""One registry of methods and tasks behind three doors: the decorators, entry points, and the built-in tables."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from benchmark import sources
from benchmark.errors import UsageError, located, suggest
from benchmark.names import check_name, check_parts
from benchmark.plugin_files import helpers
from benchmark.protocol import Prices, Task

T = TypeVar("T")
Kind = Literal["method", "task"]


class TaskMaker(Protocol):
    """What is registered as a task: a dataclass of options that opens the task itself.

    version: part of every run's identity; raise it when the meaning of the numbers changes.
    presets: option values by preset name, and `method.option` values where the preset settles those too; the first is
        the default.
    lowers: the lower-level solvers; the first is for methods that use the gradient oracle, the last for the others.
    smallest: option values with which the conformance suite takes seconds.
    """

    version: ClassVar[int]
    presets: ClassVar[Mapping[str, Mapping[str, object]]]
    lowers: ClassVar[tuple[str, ...]]
    smallest: ClassVar[Mapping[str, object]]

    def prompts(self) -> tuple[str, ...]:
        """The default prompts, one run each; ("",) where the task has none."""

    def check_prompt(self, prompt: str) -> None:
        """Raise UsageError for a prompt that the task cannot take."""

    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 by name of the files that decide the numbers; part of every run's identity.

        Raises UsageError for files that are missing or altered.
        """

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        """Load everything; this is what the account `setup` holds."""


@runtime_checkable
class Fetcher(Protocol):
    """What a task maker has besides, where it needs networks that are published elsewhere."""

    def fetch(self, dry_run: bool, base: str) -> None:
        """Show sizes and licences of what its options need and this machine lacks; unless it is a dry run, download it.

        base: an address that the files lie below instead of their own, or "". Raises UsageError.
        """


@runtime_checkable
class Weighed(Protocol):
    """What a task maker has besides, where a run may not fit into a machine's memory."""

    @property
    def advice(self) -> str:
        """What to set where it does not fit."""

    def memory(self, device: str) -> int:
        """Bytes at the peak of a run on the device, estimated without loading weights; 0 where it is not worth asking.

        Raises UsageError.
        """


@runtime_checkable
class Priced(Protocol):
    """What a task maker has besides, where it knows what a request costs before it is made."""

    @property
    def counted(self) -> str:
        """What one evaluation is and what is not counted, in a sentence for a table's footnote."""

    def prices(self, lower: str) -> Prices: ...


@runtime_checkable
class Tolerant(Protocol):
    """What a task maker has besides, where `bench check` cannot expect its hypergradient to be exact to 5 %."""

    def tolerance(self, lower: str) -> float | None:
        """Relative error of gamma (grad(z) - grad(y)) against a difference of F over full fits; None: not to be compared."""


@dataclass(frozen=True)
class Entry:
    """A registered name: where it comes from, and how to get what it names. plugin: the file that registered it."""

    name: str
    origin: str
    load: Callable[[], Any]
    plugin: Path | None = None


class Registry:
    """Names of one kind. Built-ins and entry points are imported only when they are asked for."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.entries: dict[str, Entry] = {}
        self.warnings: list[str] = []
        self._complete = False
        self._loaded: dict[str, tuple[Any, str]] = {}

    def add(self, entry: Entry) -> None:
        """Raises UsageError for what is no name and, with both origins, when the name is taken."""
        try:
            check_name(f"name of a {self.kind}", entry.name)
            if self.kind == "method" and entry.name == "all":
                raise UsageError("name of a method: expected another than 'all', which means all of them")
        except UsageError as error:
            raise UsageError(f"{error} ({entry.origin})") from None
        taken = self.entries.get(entry.name)
        if taken is not None:
            raise UsageError(f"{self.kind} {entry.name!r} is registered twice: by {taken.origin} and by {entry.origin}")
        self.entries[entry.name] = entry

    def complete(self) -> dict[str, Entry]:
        """All entries, with built-ins and installed plug-ins."""
        if not self._complete:
            self._complete = True
            table: Mapping[str, str] = importlib.import_module(f"{self.kind}s").TABLE
            for name, target in table.items():
                self.add(Entry(name, f"built-in {target}", partial(resolve, target)))
            for point in entry_points(group=f"bench.{self.kind}s"):
                try:
                    self.add(Entry(point.name, f"plug-in {point.value}", partial(_load, point)))
                except UsageError as error:
                    self.warnings.append(str(error))
        return self.entries

    def get(self, name: str) -> Any:
        """The method or the task maker itself. Raises UsageError for an unknown name or a broken plug-in."""
        entries = self.complete()
        if name not in entries:
            raise UsageError(
                f"unknown {self.kind} {name!r}{suggest(name, entries)}; known: {', '.join(sorted(entries))}"
            )
        try:
            thing = entries[name].load()
            check_parts(self.kind, name, thing)
        except Exception as error:
            if entries[name].origin.startswith("plug-in"):
                raise UsageError(
                    f"{self.kind} {name!r} ({entries[name].origin}) cannot be loaded: {located(error)}"
                ) from error
            raise
        return thing

    def files(self, name: str) -> dict[str, Path]:
        """The files that decide what a plug-in does, by what a fingerprint calls them; of a built-in, none."""
        entry = self.complete()[name]
        if entry.origin.startswith("built-in"):
            return {}
        path = _defined(self.get(name)) or entry.plugin
        found = {f"{self.kind} {name}": path} if path else {}
        if entry.plugin is not None and (others := _HELPERS.get(entry.plugin)):
            for other in {entry.plugin, *others} - {path}:
                found[f"{self.kind} {name}: {other.relative_to(entry.plugin.parent).as_posix()}"] = other
        return found

    def code(self, name: str) -> str:
        """One SHA-256 of all code that decides what it does, so that an edited one never reuses results."""
        thing, entry = self.get(name), self.entries[name]
        defined = {path} if (path := _defined(thing)) else set()
        base = entry.plugin.parent if entry.plugin is not None else None
        digest = sources.digest(set(self.files(name).values()) | defined, thing, base)
        if name not in self._loaded or self._loaded[name][0] is not thing:
            self._loaded[name] = thing, digest
        return digest

    def stale(self, name: str, digest: str) -> bool:
        """Whether its code is not what this process had loaded when it was first asked for."""
        return name in self._loaded and self._loaded[name][1] != digest


_HELPERS: dict[Path, tuple[Path, ...]] = {}
"""By plug-in file: the modules beside it that it imports."""
_LOADING: list[Path] = []
METHODS = Registry("method")
TASKS = Registry("task")


def resolve(target: str) -> Any:
    """What a "module:attribute" of a table names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _defined(thing: Any) -> Path | None:
    """The file that defines it; None for what has none of its own, such as a partial."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(thing))
    except TypeError:
        return None
    return found if path and (found := Path(path).resolve()).is_file() else None


def _load(point: EntryPoint) -> Any:
    """What an installed plug-in offers; its package's version goes into the records of runs."""
    thing = point.load()
    if point.dist is not None:
        from benchmark.device import record_version

        record_version(point.dist.name)
    return thing


def _decorator(registry: Registry, name: str) -> Callable[[T], T]:
    def register(thing: T) -> T:
        origin = getattr(thing, "__module__", "?")
        registry.complete()
        check_name(f"name of a {registry.kind}", name)
        check_parts(registry.kind, name, thing)
        registry.add(Entry(name, f"decorator in {origin}", lambda: thing, _LOADING[-1] if _LOADING else None))
        return thing

    return register


def register_method(name: str) -> Callable[[T], T]:
    """Register a method: a generator function, or a dataclass of options whose instances are methods."""
    return _decorator(METHODS, name)


def register_task(name: str) -> Callable[[T], T]:
    """Register a TaskMaker."""
    return _decorator(TASKS, name)


def load_plugin(path: Path) -> None:
    """Run a Python file for the sake of its decorators; modules beside it can be imported.

    Raises UsageError when it is missing or broken.
    """
    if not path.is_file():
        raise UsageError(f"plug-in {path}: no such file")
    spec = importlib.util.spec_from_file_location(f"bench_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plug-in {path}: expected a Python file (.py)")
    file, before = path.resolve(), set(sys.modules)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # last: a tasks.py or json.py beside it shadows nothing
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and inspect look for it there
    _LOADING.append(file)
    try:
        spec.loader.exec_module(module)
        _HELPERS[file] = helpers(file, before | {spec.name}, {f.parent for f in _HELPERS})
    except UsageError as error:
        raise UsageError(f"plug-in {path}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"plug-in {path} cannot be loaded: {located(error, [file.parent])}") from error
    finally:
        _LOADING.pop()
