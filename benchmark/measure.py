"""Which proposals are measured, and how a measurement is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.metered import Incumbent
from benchmark.names import check_metric
from benchmark.protocol import Task, Test


@dataclass
class Found:
    """What a search left: what stood at the marks, and what stands now. Before the first proposal nothing stands."""

    marks: list[float]
    unit: str
    kept: list[Incumbent] = field(default_factory=list)
    last: Incumbent | None = None

    def add(self, incumbent: Incumbent) -> None:
        at = incumbent.at(self.unit)
        if self.last is not None and any(self.last.at(self.unit) <= m < at for m in self.marks):
            self.kept.append(self.last)
        self.last = incumbent

    @property
    def wanted(self) -> list[Incumbent]:
        return [*self.kept, self.last] if self.last is not None else []


def why_none(status: str, guarded: str, losses: int, not_finite: int) -> str:
    """Why a search that is over left no answer. guarded: which guard ended it.  losses, not_finite: evaluations of F."""
    asked = f"after {losses} evaluation{'s' if losses != 1 else ''} of F"
    if losses and not_finite == losses:
        all_of_them = (
            f"none of its {losses} evaluations of F was finite"
            if losses > 1
            else "its one evaluation of F was not finite"
        )
        return f"{all_of_them}; a larger budget is no cure, look at the task and its options"
    if guarded:
        return f"the search was ended by its {guarded}, {asked}"
    if status != "ok":
        return f"the budget ended {asked if losses else 'before the first evaluation of F'}; give it more with --budget"
    return f"the method ended by itself without one, {asked}"


def stamp(incumbent: Incumbent, task: Task[Any]) -> dict[str, Any]:
    p = incumbent.proposal
    loss = math.inf if math.isnan(p.loss) else float(p.loss)
    return {"seconds": incumbent.seconds, "nfe": incumbent.nfe, "lam": task.space.native(p.lam), "loss": loss}


def measured(incumbent: Incumbent, task: Task[Any], test: Test) -> dict[str, Any]:
    """A line of final.json. Raises ValueError for numbers that are not finite, and for names that no table can have."""
    for name in test.metrics:
        check_metric(name)
    every = {"": test.metrics, **{f"{name}: ": values for name, values in test.references.items()}}
    bad = [of + name for of, values in every.items() for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise ValueError(f"the measurement gave a value that is not finite: {', '.join(bad)}")
    return stamp(incumbent, task) | {
        "metrics": dict(test.metrics), "passport": dict(test.passport),
        "curves": {name: _curve(name, values) for name, values in test.curves.items()},
        "references": {name: dict(values) for name, values in test.references.items()},
        "space": {axis.name: [float(axis.low), float(axis.high)] for axis in task.space.axes},
    }  # fmt: skip


def _curve(name: str, values: NDArray[np.float64]) -> list[list[float]]:
    """(3, M), rounded to what a picture can show. Raises ValueError for another shape, or a value that is not finite."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) != 3 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"curve {name!r}: expected (3, M) finite numbers, got {table.shape}")
    return [[float(f"{v:.6g}") for v in row] for row in table]
