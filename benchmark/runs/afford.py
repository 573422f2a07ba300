"""Warnings before the start: a budget that is below one start or one full fit gives no answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.budget import Budget
from benchmark.maker import Priced
from benchmark.protocol import Prices
from benchmark.spec import RunSpec


def prices(spec: RunSpec) -> Prices | None:
    """None where the task states none."""
    maker = spec.maker()
    return maker.prices(spec.lower) if isinstance(maker, Priced) else None


def where(spec: RunSpec) -> str:
    """A task and its lower-level solver, for messages."""
    return f"{spec.task}{', ' if spec.lower else ''}{spec.lower}"


def distinct(specs: Iterable[RunSpec]) -> Iterator[RunSpec]:
    """One for each configuration of a task, lower-level solver and budget."""
    seen = set()
    for spec in specs:
        key = (spec.task, str(sorted(spec.task_options.items())), spec.lower, spec.budget)
        if key not in seen:
            seen.add(key)
            yield spec


def shortfall(budget: str, of: str, start: float, fit: float, detail: str) -> str:
    """The warning for a budget below one start or one full fit, all in its unit; or ""."""
    amount = Budget.parse(budget).amount
    if amount >= max(start, fit):
        return ""
    if amount < start:
        what = f"one start of {of} ({detail}); every method will have no answer"
    else:
        what = f"one full fit of {of} ({detail}); a method that needs one will have no answer"
    return f"warning: budget {budget} is below {what}"


def warnings(specs: Iterable[RunSpec]) -> Iterator[str]:
    """A line for each task, solver and budget in evaluations. Raises UsageError."""
    # by stated prices alone, for this comes before every run; seconds need `--dry-run`'s probe
    for spec in distinct(specs):
        if Budget.parse(spec.budget).unit == "nfe" and (p := prices(spec)) is not None:
            detail = (
                f"{p.fit:,} = {p.init:,} to start + {p.horizon:,} steps of {p.step:,} + "
                f"{p.loss:,} for F"
            )
            if line := shortfall(spec.budget, where(spec), p.init, p.fit, detail):
                yield line
