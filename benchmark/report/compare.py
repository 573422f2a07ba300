"""Over which seeds and prompts rows are compared, and what a run without a score counts for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from benchmark.report.stats import Cell, Values

Failures = Literal["common", "worst"]
"""common: only cells in which every row has a score.

worst: a run without one counts as the worst of its cell.
"""
FAILURES: Sequence[str] = get_args(Failures)


@dataclass(frozen=True)
class Cells:
    """shared: what rows are compared over.  total: cells in which a comparable row has a score.

    incomplete: rows that lack a score which another row has; never the best.  apart: rows that
    share no cell with the others, which cannot be compared with them.
    """

    shared: frozenset[Cell]
    total: int
    incomplete: frozenset[str]
    apart: frozenset[str]

    @classmethod
    def of(
        cls, scored: Mapping[str, set[Cell]], asked: Mapping[str, set[Cell]], failures: Failures
    ) -> Cells:
        """scored, asked: by row, the cells with a score, and those with a run of any outcome.

        Rows are taken in turn, those with most scores first, so that one that shares nothing does
        not part the others.
        """
        # names decide between equals, so that the same runs always give the same table
        with_scores = sorted(
            (name for name, cells in scored.items() if cells),
            key=lambda name: (-len(scored[name]), name),
        )
        # under `worst` a run without a score takes part, with what `filled` gives it
        counted = asked if failures == "worst" else scored
        shared: set[Cell] = set()
        apart = set()
        for name in with_scores:
            left = shared & counted[name] if shared else counted[name]
            if left:
                shared = set(left)
            else:
                apart.add(name)
        union: set[Cell] = set()
        union.update(*(scored[name] for name in with_scores if name not in apart))
        incomplete = {name for name in scored if name not in apart and not union <= scored[name]}
        return cls(frozenset(shared & union), len(union), frozenset(incomplete), frozenset(apart))

    def counts(self, cell: Cell, apart: bool) -> bool:
        """Whether a row's mean is over this cell too; one that stands apart has its own."""
        return apart or cell in self.shared


def filled(
    rows: Mapping[str, Values], asked: Mapping[str, set[Cell]], lower_is_better: bool
) -> dict[str, Values]:
    """The rows; a cell that was asked of a row and gave no value has the worst of all rows."""
    worst: dict[Cell, float] = {}
    for values in rows.values():
        for cell, value in values.items():
            worst[cell] = (max if lower_is_better else min)(value, worst.get(cell, value))
    return {
        name: {c: v for c, v in worst.items() if c in asked[name]} | dict(values)
        for name, values in rows.items()
    }
