"""What one run is: all that decides its numbers, and the name that follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from benchmark.maker import TaskMaker, Yielding
from benchmark.options import check
from benchmark.parts import answer
from benchmark.plugins import sources
from benchmark.registry import METHODS, TASKS

SCHEMA = 2
"""Of a run's identity. Schema 1, still read, had no hash of the code."""
SCHEMAS = (1, SCHEMA)
LAST_SEED = 10**15
"""The largest seed of a stored run: up to there a double has every whole number."""
_CODE = ("suite", "task code", "method code")


def identity(spec: Mapping[str, Any], schema: int = SCHEMA) -> str:
    """A run's name: the hash of its specification as JSON."""
    # a run is the same on a machine whose files lie elsewhere; their content is in the fingerprint
    decisive = {name: value for name, value in spec.items() if name != "places"}
    text = json.dumps({"schema": schema, **decisive}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def earlier_identity(spec: Mapping[str, Any]) -> str:
    """The name of a run of built-ins under schema 1.

    A run stored under it is not taken for one of today: nobody knows what code made it.
    """
    files = {name: value for name, value in spec["fingerprint"].items() if name not in _CODE}
    return identity({**spec, "fingerprint": files}, 1)


def code(method: str, task: str) -> dict[str, str]:
    """The hashes of a run's code, for its fingerprint, in the order of _CODE."""
    return task_code(task) | {_CODE[2]: METHODS.code(method)}


def task_code(task: str) -> dict[str, str]:
    """The hashes of the code that decides what a lam is worth, whichever method found it."""
    return dict(zip(_CODE, (sources.suite(), TASKS.code(task)), strict=False))


@dataclass(frozen=True)
class RunSpec:
    """All that decides a run's numbers. Its hash is the run's name.

    places: options that say where files lie on this machine; what they hold is in the fingerprint.
    """

    task: str
    preset: str
    method: str
    lower: str
    seed: int
    prompt: str
    budget: str
    marks: tuple[str, ...]
    device: str = "cpu"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    method_options: Mapping[str, Any] = field(default_factory=dict)
    task_version: int = 1
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    def maker(self) -> TaskMaker:
        """The task with its options."""
        return make_task(self.task, {**self.task_options, **self.places})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @cached_property
    def run_id(self) -> str:
        return identity(self.as_json())


def make_method(name: str, options: Mapping[str, object]) -> Any:
    """A Method: the registered function, or an instance of the registered class of options."""
    thing = METHODS.get(name)
    typed = check(name, thing, options)
    if not isinstance(thing, type):
        return thing
    return answer(f"method {name!r}", "its options", lambda: thing(**typed), thing)


def make_task(name: str, options: Mapping[str, object]) -> TaskMaker:
    kind = TASKS.get(name)
    typed = check(name, kind, options)
    return answer(f"task {name!r}", "its options", lambda: kind(**typed), kind)


def settled(
    kind: type[TaskMaker], preset: str, given: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """What a preset settles beside the given options: of the task's own, and of each method's."""
    gone = kind.yields(given) if issubclass(kind, Yielding) else ()
    own: dict[str, object] = {}
    others: dict[str, dict[str, object]] = {}
    for name, value in kind.presets[preset].items():
        # from the right, for a method may have dots in its name
        owner, dot, option = name.rpartition(".")
        if dot:
            others.setdefault(owner, {})[option] = value
        elif name not in gone:
            own[name] = value
    return own, others


def read_spec(found: dict[str, Any]) -> RunSpec:
    """The inverse of `RunSpec.as_json`."""
    return RunSpec(**found | {"marks": tuple(found["marks"])})
