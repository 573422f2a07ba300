"""One registry for everything that a user can add.

Three ways lead in: a built-in table, a decorator, and entry points of installed packages.

    @register_method("mine")            # in a plug-in file, or in a notebook
    [project.entry-points."bench.methods"]
    mine = "my_package.search:Mine"     # in the pyproject.toml of a package

A built-in is a text "module:attribute", so that nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmark.errors import UsageError, located, suggest
from benchmark.maker import TaskMaker
from benchmark.names import check_metric, check_name
from benchmark.parts import check_parts
from benchmark.plugins import sources
from benchmark.plugins.entry import Entry, Kind, built_in, defined_in, from_package, resolve
from benchmark.plugins.load import at_work, helpers_of

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind. Built-ins and entry points are imported only when they are asked for."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind.name
        self.about = kind
        self.entries: dict[str, Entry[T]] = {}
        self.warnings: list[str] = []
        self._complete = False
        self._loaded: dict[str, tuple[Any, str]] = {}

    def add(self, entry: Entry[T]) -> None:
        """Raises UsageError for what is no name and, with both origins, when the name is taken."""
        try:
            check_name(f"name of a {self.kind}", entry.name)
            if entry.name in self.about.reserved:
                raise UsageError(
                    f"name of a {self.kind}: expected another than {entry.name!r}, which means "
                    "something else"
                )
            if self.about.check is not None:
                self.about.check(entry.name)
        except (UsageError, ValueError) as error:
            raise UsageError(f"{error} ({entry.origin})") from None
        taken = self.entries.get(entry.name)
        if taken is not None:
            raise UsageError(
                f"{self.kind} {entry.name!r} is registered twice: by {taken.origin} and by "
                f"{entry.origin}"
            )
        self.entries[entry.name] = entry

    def complete(self) -> dict[str, Entry[T]]:
        """All entries, with built-ins and installed plug-ins."""
        if not self._complete:
            self._complete = True
            table: Mapping[str, str | T] = resolve(self.about.table)
            for name, thing in table.items():
                self.add(built_in(name, thing))
            for point in entry_points(group=self.about.group):
                # a broken package must not stop those who do not use it
                try:
                    self.add(from_package(point))
                except UsageError as error:
                    self.warnings.append(str(error))
        return self.entries

    def known(self) -> list[str]:
        return sorted(self.complete())

    def __contains__(self, name: object) -> bool:
        return name in self.complete()

    def get(self, name: str) -> T:
        """What is registered itself. Raises UsageError for an unknown name or a broken plug-in."""
        entries = self.complete()
        if name not in entries:
            raise UsageError(
                f"unknown {self.kind} {name!r}{suggest(name, entries)}; known: "
                f"{', '.join(self.known())}"
            )
        try:
            thing = entries[name].load()
            check_parts(self.kind, name, thing)
        except (Exception, SystemExit) as error:
            # of a built-in it is a fault of the suite, whose traceback is wanted
            if entries[name].built_in:
                raise
            raise UsageError(
                f"{self.kind} {name!r} ({entries[name].origin}) cannot be loaded: {located(error)}"
            ) from error
        return thing

    def register(self, name: str, thing: T, origin: str = "") -> None:
        """Add something by its name. Raises UsageError, see `add`.

        origin: what to call the place that it comes from, instead of its module.
        """
        self.complete()
        check_name(f"name of a {self.kind}", name)
        check_parts(self.kind, name, thing)
        plugin = at_work()
        place = origin or f"decorator in {plugin or getattr(thing, '__module__', '') or '?'}"
        if plugin is None and self._again(name, thing):
            del self.entries[name]
        self.add(Entry(name, place, lambda: thing, plugin))

    def _again(self, name: str, thing: T) -> bool:
        """Whether a name's own cell was run again, or its module was loaded again."""
        entry = self.entries.get(name)
        if entry is None or not entry.alone:
            return False
        before, now = (
            (getattr(one, "__module__", None), getattr(one, "__qualname__", None))
            for one in (entry.load(), thing)
        )
        return None not in now and before == now

    def files(self, name: str) -> dict[str, Path]:
        """The files that decide what a plug-in does, by their names in a fingerprint.

        None of a built-in.
        """
        entry = self.complete()[name]
        if entry.built_in:
            return {}
        path = defined_in(self.get(name)) or entry.plugin
        found = {f"{self.kind} {name}": path} if path else {}
        if entry.plugin is not None and (others := helpers_of(entry.plugin)):
            for other in {entry.plugin, *others} - {path}:
                relative = other.relative_to(entry.plugin.parent).as_posix()
                found[f"{self.kind} {name}: {relative}"] = other
        return found

    def code(self, name: str) -> str:
        """One SHA-256 of all its code, so that edited code never reuses results.

        Raises UsageError where something of it cannot be hashed.
        """
        thing, entry = self.get(name), self.entries[name]
        defined = {path} if (path := defined_in(thing)) else set()
        base = entry.plugin.parent if entry.plugin is not None else None
        files = set(self.files(name).values()) | defined
        digest = sources.digest(files, thing, base, alone=entry.alone)
        # what this process alone has is what it is now; `check_loaded` sees to its files
        if entry.alone or name not in self._loaded or self._loaded[name][0] is not thing:
            self._loaded[name] = thing, digest
        return digest

    def stale(self, name: str, digest: str) -> bool:
        """Whether its code is not what this process had loaded when it was first asked for."""
        return name in self._loaded and self._loaded[name][1] != digest


METHODS: Registry[Any] = Registry(Kind("method", "methods:TABLE", "bench.methods", ("all",)))
TASKS: Registry[type[TaskMaker]] = Registry(Kind("task", "tasks:TABLE", "bench.tasks"))
REWARDS: Registry[Any] = Registry(Kind("reward", "tasks:REWARDS", "bench.rewards"))
SAMPLERS: Registry[Any] = Registry(Kind("sampler", "tasks.samplers:TABLE", "bench.samplers"))
EXECUTORS: Registry[Any] = Registry(
    Kind("executor", "benchmark.runs.executor:TABLE", "bench.executors")
)
DATA_SETS: Registry[Any] = Registry(Kind("data set", "tasks:DATA_SETS", "bench.data_sets"))

METRICS: Registry[Any] = Registry(
    Kind("metric", "benchmark.report.metrics:TABLE", "bench.metrics", check=check_metric)
)
COSTS: Registry[Any] = Registry(Kind("cost", "benchmark.report.costs:TABLE", "bench.costs"))
PLOTS: Registry[Any] = Registry(
    # a picture has the name of its plot, so these would be taken for a table's
    Kind("plot", "benchmark.report.plots:TABLE", "bench.plots", ("table1", "runs", "differences"))
)

ALL: tuple[Registry[Any], ...] = (
    METHODS,
    TASKS,
    REWARDS,
    SAMPLERS,
    DATA_SETS,
    METRICS,
    COSTS,
    PLOTS,
    EXECUTORS,
)


def decorator(registry: Registry[Any], name: str) -> Callable[[T], T]:
    """A decorator that registers what is below it. Raises UsageError for a name that is no text."""
    # without parentheses Python gives it the function, which then would be registered nowhere
    if not isinstance(name, str):
        word = f"@register_{registry.kind}"
        got = getattr(name, "__name__", type(name).__name__)
        raise UsageError(f'{word}: expected a name as text, got {got}; write {word}("NAME")')

    def register(thing: T) -> T:
        registry.register(name, thing)
        return thing

    return register


def register_method(name: str) -> Callable[[T], T]:
    """Register a method: a generator function (problem, rng), as `Method` describes it.

    Or a dataclass of options whose instances are called so. name: letters, digits, _, - and ., 100
    at most. Raises UsageError for one that is taken.
    """
    return decorator(METHODS, name)


def register_task(name: str) -> Callable[[T], T]:
    """Register a task: a dataclass of options, as `benchmark.maker.TaskMaker` describes it.

    Raises UsageError, see `register_method`.
    """
    return decorator(TASKS, name)


def register_reward(name: str) -> Callable[[T], T]:
    """Register a reward: a class as `tasks.reward_ft.rewards.Reward` describes it.

    Raises UsageError, see `register_method`.
    """
    return decorator(REWARDS, name)


def register_sampler(name: str) -> Callable[[T], T]:
    """Register a class as `tasks.samplers.protocol.Solver` describes it."""
    return decorator(SAMPLERS, name)


def register_plot(name: str) -> Callable[[T], T]:
    """Register a plot: a function of a `Table` that returns a matplotlib Figure.

    Or None where there is nothing to draw. The report writes it as NAME.png.
    """
    return decorator(PLOTS, name)


def register_executor(name: str) -> Callable[[T], T]:
    """Register what makes an `Executor` of `ExecutorSettings`, most simply a class.

    `--engine NAME` then takes it.
    """
    return decorator(EXECUTORS, name)


def register_data_set(name: str) -> Callable[[T], T]:
    """Register a function of a folder, and of mirrors, that fetches a data set into it."""
    return decorator(DATA_SETS, name)
