"""Methods and tasks as Python gives them: a name, a function, a class of options or an instance.

What is no name is registered under its own: the name of the function, or that of the class in
lower case, `RandomWalk` as `random_walk`.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.api.inputs import items, read_names
from benchmark.command.parse import parse_methods
from benchmark.errors import UsageError, shown
from benchmark.maker import TaskMaker
from benchmark.names import check_name
from benchmark.parts import TASK_PARTS
from benchmark.plugins.load import load_plugin
from benchmark.registry import ALL, METHODS, TASKS, Registry
from benchmark.runs.plan import Configured

_LOADED: set[Path] = set()
"""Plug-in files that this process has loaded for the Python API."""


def read_methods(value: object) -> list[Configured]:
    """One method or a list of them. Raises UsageError."""
    found: list[Configured] = []
    for thing in _each("methods", value):
        names = parse_methods(thing) if isinstance(thing, str) else [_registered(METHODS, thing)]
        found += [Configured(n) if isinstance(n, str) else n for n in names]
    return found


def read_tasks(value: object) -> list[Configured]:
    """One task or a list of them. Raises UsageError."""
    found: list[Configured] = []
    for thing in _each("tasks", value):
        if isinstance(thing, str):
            found += map(Configured, read_names("tasks", thing))
        else:
            found.append(_registered(TASKS, thing))
    return found


def load_plugins(paths: Sequence[Path]) -> None:
    """Load each file once in this process. Raises UsageError, with nothing registered by it."""
    for path in paths:
        if path.resolve() in _LOADED:
            continue
        # half a plug-in would make its names taken when the mended file is loaded
        before = [dict(registry.complete()) for registry in ALL]
        try:
            load_plugin(path)
        except UsageError:
            for registry, entries in zip(ALL, before, strict=True):
                registry.entries = entries
            raise
        _LOADED.add(path.resolve())


def check_importable(names: Iterable[tuple[Registry[Any], str]], plugins: Sequence[Path]) -> None:
    """Raises UsageError for what a worker process could not find by its name."""
    files = {path.resolve() for path in plugins}
    for registry, name in names:
        entry = registry.complete().get(name)
        if entry and (entry.alone or (entry.plugin and entry.plugin not in files)):
            raise UsageError(
                f"jobs: {registry.kind} {name!r} is known to this process alone; put it into a "
                "file and name that with plugins=['FILE.py'], or leave out jobs and engine"
            )


def _each(name: str, value: object) -> list[object]:
    # an instance of a method is callable, and could be iterable too
    found = None if callable(value) else items(value)
    things = [value] if found is None else list(found)
    if not things:
        raise UsageError(f"{name} {shown(value)}: expected one or more")
    kinds: dict[str, object] = {}
    for thing in things:
        kind = _kind(thing)
        label = getattr(kind, "__name__", "")
        if not isinstance(thing, str) and kinds.setdefault(label, kind) is not kind:
            raise UsageError(f"{name}: two of them are called {label!r}; rename one")
    return things


def _kind(thing: object) -> Any:
    """What is registered: a function or a class itself, of an instance its class."""
    return thing if isinstance(thing, type) or inspect.isroutine(thing) else type(thing)


def _registered(registry: Registry[Any], thing: object) -> Configured:
    kind = _kind(thing)
    _check_kind(registry, thing, kind)
    options = {} if kind is thing else _options(registry, thing)
    name = _known(registry, kind)
    if name is None:
        name = _snake(kind.__name__) if isinstance(kind, type) else kind.__name__
        _check_own_name(registry, name)
        registry.register(name, kind, f"{kind.__qualname__} in {kind.__module__}")
    return Configured(name, options)


def _check_own_name(registry: Registry[Any], name: str) -> None:
    """Raises UsageError for the name of a function or a class that cannot be one of these."""
    if name == "<lambda>":
        raise UsageError(f"{registry.kind}s: expected a name, got a lambda; define it with def")
    try:
        check_name(f"name of a {registry.kind}", name)
    except UsageError as error:
        kind = registry.kind
        raise UsageError(f'{error}, or give it one with @register_{kind}("NAME")') from None


def _check_kind(registry: Registry[Any], thing: object, kind: Any) -> None:
    """Raises UsageError for what is neither a method nor a task."""
    if isinstance(thing, partial):
        raise UsageError(
            f"{registry.kind}s {shown(thing)}: expected a function, got a partial; make it a "
            "dataclass with such options (benchmark.option)"
        )
    if registry is TASKS:
        lacks = [part for part in TASK_PARTS if not hasattr(kind, part)]
        if not isinstance(kind, type) or lacks:
            raise UsageError(
                f"tasks {shown(thing)}: expected a name, a TaskMaker class or an instance of one"
                f"{f'; it lacks {lacks[0]}' if isinstance(kind, type) and lacks[1:] else ''}"
            )
        _check_options(registry, kind)
    elif not (inspect.isfunction(kind) or (isinstance(kind, type) and "__call__" in dir(kind))):
        raise UsageError(
            f"methods {shown(thing)}: expected a name, a generator function (problem, rng), or a "
            "class of options or an instance of one"
        )
    elif isinstance(kind, type):
        if kind is thing or dataclasses.is_dataclass(thing):
            _check_options(registry, kind)
    elif bound := _bound(kind):
        raise UsageError(
            f"method {kind.__name__!r}: expected no values of the function around it, got "
            f"{', '.join(bound)}; make it a dataclass with such an option"
        )


def _check_options(registry: Registry[Any], kind: type) -> None:
    """Raises UsageError for a class that cannot be made of its options alone."""
    try:
        inspect.signature(kind).bind()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{registry.kind}s {kind.__name__}: expected a dataclass of options with defaults "
            f"(benchmark.option); {error}"
        ) from error


def _bound(kind: Any) -> list[str]:
    """Names of values that a function takes from the function around it."""
    if not inspect.isfunction(kind):
        return []
    around = inspect.getclosurevars(kind).nonlocals
    # no hash of its text covers these; functions and modules are hashed by their own
    return [n for n, v in around.items() if not callable(v) and not isinstance(v, ModuleType)]


def _options(registry: Registry[Any], thing: Any) -> dict[str, object]:
    """The options of an instance that are not at their defaults, as if a user had set them."""
    if not dataclasses.is_dataclass(thing):
        # without state of its own, the class alone says what it does
        plain = all(getattr(type(thing), n) is getattr(object, n) for n in ("__init__", "__new__"))
        if plain and not getattr(thing, "__dict__", True):
            return {}
        raise UsageError(
            f"{registry.kind}s {shown(thing)}: expected an instance of a dataclass whose fields "
            "are options (benchmark.option), so that another process can make it again"
        )
    for f in dataclasses.fields(thing):
        if "text" not in f.metadata and f.init:
            raise UsageError(
                f"{registry.kind}s {type(thing).__name__}: field {f.name!r} is no option; declare "
                "it with benchmark.option"
            )
    options = {f.name: f.default for f in dataclasses.fields(thing) if "text" in f.metadata}
    return {n: getattr(thing, n) for n, default in options.items() if getattr(thing, n) != default}


def _known(registry: Registry[Any], kind: Callable[..., Any]) -> str | None:
    """The name that it is registered under, or None."""
    # by its target, since loading every entry would import every method
    target = f"{kind.__module__}:{kind.__qualname__}"
    for name, entry in registry.complete().items():
        if entry.target == target or (not entry.target and entry.load() is kind):
            return name
    return None


def _snake(name: str) -> str:
    # a capital after a small letter, or the last of several: GPSearch is gp_search
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


Tasks = str | type[TaskMaker] | TaskMaker | Sequence[str | type[TaskMaker] | TaskMaker]
Methods = str | Callable[..., Any] | Sequence[str | Callable[..., Any]]
