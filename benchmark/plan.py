"""From what a user asked for to the runs that it means. Everything wrong with a request is said here, before any run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmark import sources
from benchmark.budget import Budget
from benchmark.errors import UsageError, suggest
from benchmark.options import check, places, values
from benchmark.registry import METHODS, TASKS, TaskMaker

SCHEMA = 2
"""Of a run's identity. 1, which is still read: without the code of the method, the task and the suite."""
SCHEMAS = (1, SCHEMA)
_CODE = ("suite", "task code", "method code")
_LAST_SEED = 10**15  # what stored runs may hold: a double has every whole number up to there


def identity(spec: Mapping[str, Any], schema: int = SCHEMA) -> str:
    """A run's name: the hash of its specification as JSON, without the places where its files lie on one machine."""
    decisive = {name: value for name, value in spec.items() if name != "places"}
    text = json.dumps({"schema": schema, **decisive}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def earlier_identity(spec: Mapping[str, Any]) -> str:
    """What a run of built-ins was called under schema 1.

    Its stored run is not taken for one of the specification all the same: nobody knows what code made it.
    """
    files = {name: value for name, value in spec["fingerprint"].items() if name not in _CODE}
    return identity({**spec, "fingerprint": files}, 1)


def code(method: str, task: str) -> dict[str, str]:
    """What a fingerprint says of the code of a run, in the order of _CODE."""
    return dict(zip(_CODE, (sources.suite(), TASKS.code(task), METHODS.code(method)), strict=True))


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

    @property
    def run_id(self) -> str:
        return identity(self.as_json())


def make_method(name: str, options: Mapping[str, object]) -> Any:
    """A Method: the registered function, or an instance of the registered class of options."""
    thing = METHODS.get(name)
    typed = check(name, thing, options)
    return thing(**typed) if isinstance(thing, type) else thing


def make_task(name: str, options: Mapping[str, object]) -> TaskMaker:
    kind = TASKS.get(name)
    maker: TaskMaker = kind(**check(name, kind, options))
    return maker


def parse_seeds(text: str) -> list[int]:
    """Read `3`, `0-4` or `0,2,5-7`. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        numbers = re.fullmatch(r"[0-9]{1,99}(-[0-9]{1,99})?", part.strip())
        if not numbers or (dash and int(high) < int(low)):
            raise UsageError(f"seeds {text!r}: expected whole numbers and ranges such as 0-4 or 0,2,5")
        if (last := int(high or low)) > _LAST_SEED:
            raise UsageError(f"seeds {text!r}: expected seeds of at most {_LAST_SEED} (10**15), got {last}")
        if dash and int(high) - int(low) >= 10_000:
            raise UsageError(f"seeds {text!r}: expected at most 10000 seeds in a range")
        seeds += range(int(low), int(high or low) + 1)
    return list(dict.fromkeys(seeds))


def parse_settings(settings: Sequence[str], owners: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read `owner.option=value` texts into a table by owner. Raises UsageError."""
    table: dict[str, dict[str, str]] = {owner: {} for owner in owners}
    for text in settings:
        target, equals, value = text.partition("=")
        owner, dot, name = target.rpartition(".")  # an owner may have dots in its name
        if not (equals and dot and owner and name):
            raise UsageError(f"--set {text!r}: expected OWNER.OPTION=VALUE, such as bilevel.gamma=100")
        if owner not in table:
            raise UsageError(
                f"--set {text!r}: {owner!r} is not part of this run{suggest(owner, table)}; it has: {', '.join(table)}"
            )
        table[owner][name] = value
    return table


def parse_names(text: str, every: Sequence[str]) -> list[str]:
    """Read a comma-separated list of names, or `all`."""
    return list(every) if text == "all" else list(dict.fromkeys(n.strip() for n in text.split(",") if n.strip()))


def by_owner(preset: Mapping[str, object]) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """A preset's values of the task's own options, and of those that it sets for methods, by method."""
    own = {name: value for name, value in preset.items() if "." not in name}
    others: dict[str, dict[str, object]] = {}
    for name, value in preset.items():
        owner, dot, option = name.rpartition(".")
        if dot:
            others.setdefault(owner, {})[option] = value
    return own, others


def plan(
    methods: str,
    task: str,
    *,
    preset: str | None = None,
    lower: str | None = None,
    budget: str = "60s",
    seeds: str = "0",
    prompts: Sequence[str] = (),
    settings: Sequence[str] = (),
    marks: Sequence[str] | None = None,
    device: str = "cpu",
) -> list[RunSpec]:
    """The runs, method by method within seed and prompt, so that a suite cut short is balanced. Raises UsageError."""
    kind = TASKS.get(task)
    names = parse_names(methods, sorted(METHODS.complete()))
    if not names:
        raise UsageError(
            f"--method {methods!r}: expected one name or more; known: {', '.join(sorted(METHODS.complete()))}"
        )
    preset = preset or next(iter(kind.presets))
    if preset not in kind.presets:
        raise UsageError(
            f"unknown preset {preset!r} of {task}{suggest(preset, kind.presets)}; known: {', '.join(kind.presets)}"
        )
    if lower is not None and lower not in kind.lowers:
        known = ", ".join(filter(None, kind.lowers)) or "none"
        raise UsageError(f"unknown lower-level solver {lower!r} of {task}{suggest(lower, kind.lowers)}; known: {known}")
    for name in names:
        METHODS.get(name)
    table = parse_settings(settings, [task, *names])
    own, others = by_owner(kind.presets[preset])
    maker = make_task(task, {**own, **table[task]})
    wanted = Budget.parse(budget)
    marked = [Budget.parse(m) for m in marks] if marks is not None else [wanted.share(part) for part in (0.25, 0.5)]
    for mark in marked:
        if mark.unit != wanted.unit or mark.amount > wanted.amount:
            raise UsageError(f"--marks {mark}: expected amounts of at most the budget, {wanted}, in its unit")
    for prompt in prompts:
        maker.check_prompt(prompt)
    built = {name: make_method(name, {**others.get(name, {}), **table[name]}) for name in names}
    files = dict(maker.fingerprint())
    fingerprints = {name: files | code(name, task) for name in names}
    return [
        RunSpec(
            task=task,
            preset=preset,
            method=name,
            lower=lower
            if lower is not None
            else kind.lowers[0 if getattr(built[name], "uses_gradient", False) else -1],
            seed=seed,
            prompt=prompt,
            budget=str(wanted),
            marks=tuple(str(m) for m in marked),
            device=device,
            task_options=values(maker),
            method_options=values(built[name]),
            task_version=kind.version,
            fingerprint=fingerprints[name],
            places=places(maker),
        )
        for seed in parse_seeds(seeds)
        for prompt in (tuple(dict.fromkeys(prompts)) or maker.prompts())
        for name in names
    ]
