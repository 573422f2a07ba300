"""Which proposals are measured, and how a measurement is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import Proposal, Task, Test
from benchmark.search.tested import checked
from benchmark.space import Axis, Choice, Lam, Space


@dataclass(frozen=True)
class Incumbent:
    """A proposal, and when it was made: seconds and network evaluations of the budget.

    all_steps: of the search by then, whatever their state.
    """

    proposal: Proposal[Any]
    seconds: float
    nfe: int
    all_steps: int

    def at(self, unit: str) -> float:
        return self.nfe if unit == "nfe" else self.seconds


@dataclass(frozen=True)
class Evaluation:
    """F at lam of a state, and what was spent of the budget by then.

    seed: of the state's start.  steps: that it has had, the fidelity.
    """

    lam: Lam
    loss: float
    seed: int
    steps: int
    seconds: float
    nfe: int


@dataclass
class Incumbents:
    """Those at the marks, and the last one; None before the first proposal."""

    marks: list[float]
    unit: str
    at_marks: list[Incumbent] = field(default_factory=list)
    last: Incumbent | None = None

    def add(self, incumbent: Incumbent) -> None:
        at = incumbent.at(self.unit)
        # a mark between two proposals belongs to the earlier one, which stood at that moment
        if self.last is not None and any(self.last.at(self.unit) <= m < at for m in self.marks):
            self.at_marks.append(self.last)
        self.last = incumbent

    @property
    def to_measure(self) -> list[Incumbent]:
        return [*self.at_marks, self.last] if self.last is not None else []


def why_none(status: str, guarded: str, losses: int, not_finite: int) -> str:
    """Why a search left no answer. guarded: the guard that ended it.  losses: evaluations of F.

    not_finite: those of them that gave no number.
    """
    # four causes with four cures: more budget helps only where the budget was the cause
    asked = f"after {losses} evaluation{'s' if losses != 1 else ''} of F"
    if losses and not_finite == losses:
        many = f"none of its {losses} evaluations of F was finite"
        which = many if losses > 1 else "its one evaluation of F was not finite"
        return f"{which}; a larger budget is no cure, look at the task and its options"
    if guarded:
        return f"the search was ended by its {guarded}, {asked}"
    if status != "ok":
        return (
            f"the budget ended {asked if losses else 'before the first evaluation of F'}; give "
            "it more with --budget"
        )
    return f"the method ended by itself without one, {asked}"


def stamp(incumbent: Incumbent, task: Task[Any]) -> dict[str, Any]:
    p = incumbent.proposal
    loss = math.inf if math.isnan(p.loss) else float(p.loss)
    return {
        "seconds": incumbent.seconds,
        "nfe": incumbent.nfe,
        "all_steps": incumbent.all_steps,
        "lam": task.space.native(p.lam),
        "loss": loss,
    }


def trial(evaluation: Evaluation, space: Space) -> dict[str, Any] | None:
    """A line of trials.jsonl; None for a lam outside of the cube, which some tasks answer."""
    e = evaluation
    if not np.all((e.lam >= 0) & (e.lam <= 1)):
        return None
    return {
        "seconds": e.seconds,
        "nfe": e.nfe,
        "lam": space.native(e.lam),
        "loss": e.loss,
        "steps": e.steps,
        "seed": e.seed,
    }


def measured(incumbent: Incumbent, task: Task[Any], test: Test) -> dict[str, Any]:
    """An entry of final.json. Raises ValueError, see `checked`."""
    test = checked(test)
    held_out = {} if test.loss is None else {"held_out": test.loss}
    return (
        stamp(incumbent, task)
        | held_out
        | {
            "metrics": dict(test.metrics),
            "passport": dict(test.passport),
            "curves": {name: _curve(name, values) for name, values in test.curves.items()},
            "references": {name: dict(values) for name, values in test.references.items()},
            "space": {axis.name: _range(axis) for axis in task.space.axes},
        }
    )


def _range(axis: Axis) -> list[float] | list[str]:
    """What an axis may be: [low, high], or the texts of a Choice."""
    if isinstance(axis, Choice):
        return list(axis.values)
    # whole numbers too, as runs of earlier versions have them
    return [float(axis.low), float(axis.high)]


def _curve(name: str, values: NDArray[np.float64]) -> list[list[float]]:
    """(3, M), rounded to what a picture can show. Raises ValueError for any other array."""
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"curve {name!r}: expected (3, M) finite numbers; {error}") from None
    if table.ndim != 2 or len(table) != 3 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"curve {name!r}: expected (3, M) finite numbers, got {table.shape}")
    return [[float(f"{v:.6g}") for v in row] for row in table]
