"""From a user's request to its runs. What is wrong with a request is reported here, before any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from benchmark.budget import Budget
from benchmark.errors import UsageError, suggest
from benchmark.maker import TaskMaker
from benchmark.options import places, values
from benchmark.parts import answer
from benchmark.registry import METHODS, TASKS
from benchmark.spec import RunSpec, code, make_method, make_task, settled
from benchmark.store.plain import plain
from benchmark.store.schema import SPEC, Unreadable, readable

Options = Mapping[str, Mapping[str, object]]
"""Values of options by owner, which is a task or a method, and by name."""
MINUTE = Budget(60.0, "s")


@dataclass(frozen=True)
class Configured:
    """A registered name with values of its options; other options keep their defaults."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Built:
    """A method with its options, as its runs are to record it."""

    name: str
    method: Any
    fingerprint: Mapping[str, str]

    def spec(self, maker: TaskMaker, lower: str | None, **common: Any) -> RunSpec:
        """Its run with seed 0 and no prompt. lower: None is its own lower-level solver."""
        # a task names its solvers in order: the first is for methods that use `grad`
        own = maker.lowers[0 if getattr(self.method, "uses_gradient", False) else -1]
        return RunSpec(
            method=self.name,
            lower=own if lower is None else lower,
            seed=0,
            prompt="",
            task_options=values(maker),
            method_options=values(self.method),
            task_version=maker.version,
            fingerprint=self.fingerprint,
            places=places(maker),
            **common,
        )


def plan(
    methods: Sequence[str | Configured],
    task: str | Configured,
    *,
    preset: str | None = None,
    lower: str | None = None,
    budget: Budget = MINUTE,
    seeds: Sequence[int] = (0,),
    prompts: Sequence[str] = (),
    options: Options | None = None,
    marks: Sequence[Budget] | None = None,
    device: str = "cpu",
) -> list[RunSpec]:
    """The runs, method by method within seed and prompt, so that a suite cut short is balanced.

    preset, lower: None is the task's first preset, and each method's own lower-level solver.
    prompts: none are the task's.  marks: None is a quarter and a half of the budget.
    device: cpu or cuda. Raises UsageError.
    """
    asked = [_configured(method) for method in methods]
    wanted = _configured(task)
    kind = TASKS.get(wanted.name)
    preset = _preset(kind, wanted.name, preset)
    _check_lower(kind, wanted.name, lower)
    for method in asked:
        METHODS.get(method.name)
    table = options or {}
    check_owners(table, [wanted.name, *(m.name for m in asked)])
    # in this order: what the user sets comes after what the preset sets
    given = {**wanted.options, **table.get(wanted.name, {})}
    own, others = settled(kind, preset, given)
    maker = make_task(wanted.name, {**own, **given})
    marked = _marks(marks, budget)
    for prompt in prompts:
        _check_prompt(maker, wanted.name, prompt)
    common: dict[str, Any] = {"task": wanted.name, "preset": preset, "device": device}
    common |= {"budget": str(budget), "marks": marked}
    built = [
        one.spec(maker, lower, **common) for one in _build(asked, others, table, maker, wanted.name)
    ]
    texts = tuple(dict.fromkeys(prompts)) or _own_prompts(maker, wanted.name)
    # of one seed: the others differ from it by a number that was read
    for spec in _cells(built, [0], texts):
        _check_readable(spec)
    return list(_cells(built, dict.fromkeys(seeds), texts))


def _check_readable(spec: RunSpec) -> None:
    """Raises UsageError for what a plug-in gave, such as a version, that no file can have."""
    try:
        readable(SPEC, plain(spec.as_json()))
    except (Unreadable, TypeError) as error:
        raise UsageError(f"task {spec.task!r}, method {spec.method!r}: {error}") from error


def _cells(
    built: Sequence[RunSpec], seeds: Iterable[int], prompts: Sequence[str]
) -> Iterator[RunSpec]:
    for seed, prompt, spec in product(seeds, prompts, built):
        yield replace(spec, seed=seed, prompt=prompt)


def _configured(thing: str | Configured) -> Configured:
    return Configured(thing) if isinstance(thing, str) else thing


def _preset(kind: type[TaskMaker], task: str, preset: str | None) -> str:
    known = kind.presets
    preset = preset or next(iter(known))
    if preset not in known:
        raise UsageError(
            f"unknown preset {preset!r} of {task}{suggest(preset, known)}; known: "
            f"{', '.join(known)}"
        )
    return preset


def _check_lower(kind: type[TaskMaker], task: str, lower: str | None) -> None:
    if lower is not None and lower not in kind.lowers:
        known = ", ".join(filter(None, kind.lowers)) or "none"
        raise UsageError(
            f"unknown lower-level solver {lower!r} of {task}{suggest(lower, kind.lowers)}; known: "
            f"{known}"
        )


def _check_prompt(maker: TaskMaker, task: str, prompt: str) -> None:
    answer(f"task {task!r}", "check_prompt()", lambda: maker.check_prompt(prompt), object)


def _own_prompts(maker: TaskMaker, task: str) -> Sequence[str]:
    found: Sequence[str] = answer(f"task {task!r}", "prompts()", maker.prompts, (tuple, list))
    if not found:
        raise UsageError(
            f'task {task!r}: prompts(): expected ("",) for a task without prompts, got {found!r}'
        )
    return found


def check_owners(options: Options, owners: Sequence[str]) -> None:
    """Raises UsageError for options of what is not part of the runs."""
    for owner, named in options.items():
        if owner not in owners:
            name = next(iter(named), "")
            raise UsageError(
                f"option {owner}.{name}: {owner!r} is not part of this run"
                f"{suggest(owner, owners)}; it has: {', '.join(owners)}"
            )


def _marks(marks: Sequence[Budget] | None, budget: Budget) -> tuple[str, ...]:
    if marks is None:
        marks = [budget.share(part) for part in (0.25, 0.5)]
    for mark in marks:
        if mark.unit != budget.unit or mark.amount > budget.amount:
            raise UsageError(
                f"--marks {mark}: expected amounts of at most the budget, {budget}, in its unit"
            )
    return tuple(str(mark) for mark in marks)


def _build(
    asked: Sequence[Configured],
    preset: Options,
    table: Options,
    maker: TaskMaker,
    task: str,
) -> Iterator[_Built]:
    """The methods, each configuration once. preset: what the task's preset settles for methods."""
    # files are hashed once, not for each method: models may have gigabytes
    files = dict(answer(f"task {task!r}", "fingerprint()", maker.fingerprint, Mapping))
    fingerprints = {m.name: files | code(m.name, task) for m in asked}
    seen: list[tuple[str, dict[str, Any]]] = []
    for m in asked:
        given = {**preset.get(m.name, {}), **m.options, **table.get(m.name, {})}
        method = make_method(m.name, given)
        if (key := (m.name, values(method))) not in seen:
            seen.append(key)
            yield _Built(m.name, method, fingerprints[m.name])
