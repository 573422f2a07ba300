"""What stood in a run while its budget was spent: mean quality, and the time to a quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.budget import Budget, Unit
from benchmark.report.spending import spent
from benchmark.store.stored import Stored


@dataclass(frozen=True)
class Anytime:
    """A metric of what stood, as far as it was measured: at the marks and at the end.

    since: when each of these answers was proposed, ascending, in the budget's unit.
    values: the metric of each.  budget: what the search might spend.
    """

    since: Sequence[float]
    values: Sequence[float]
    budget: float

    @classmethod
    def of(cls, run: Stored, metric: str, unit: Unit) -> Anytime:
        tests = [t for t in run.tests if metric in t["metrics"]]
        return cls(
            [spent(t, unit) for t in tests],
            [float(t["metrics"][metric]) for t in tests],
            Budget.parse(run.run["spec"]["budget"]).amount,
        )

    def mean(self, before: float) -> float:
        """Over the budget, so what one has on average who stops at a random moment of it.

        before: counts until the first answer.
        """
        ends = np.minimum([0.0, *self.since, self.budget], self.budget)
        return float(np.diff(ends) / self.budget @ np.array([before, *self.values]))

    def until(self, quality: float, lower: bool) -> float:
        """When the first measured answer at least so good was proposed; inf where none was."""
        sign = 1 if lower else -1
        good = (
            s for s, v in zip(self.since, self.values, strict=True) if sign * (v - quality) <= 0
        )
        return min(good, default=float("inf"))
