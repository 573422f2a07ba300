"""How much better an answer looked to its search than it is on data that no search saw."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.report.stats import Cell
from benchmark.store.stored import Stored, trials_of

_HELD_OUT = "held_out"
_ROUND = tuple(m * 10**k for k in range(6) for m in (1, 2, 5))


@dataclass(frozen=True)
class Looked:
    """A measured answer of a run, which stood after `first` trials until it had `last`.

    searched: F as its search saw it.  held_out: F on held-out data.
    """

    cell: Cell
    first: int
    last: int
    searched: float
    held_out: float

    @property
    def optimism(self) -> float:
        """Above 0: it looked better than it is, for F is minimised."""
        return self.held_out - self.searched


def ledger(run: Stored) -> list[Looked]:
    """What stood at each mark and at the end; [] where the task measures no F on held-out data."""
    known = [t for t in run.tests if t.get(_HELD_OUT) is not None and math.isfinite(t["loss"])]
    if not known or not (trials := trials_of(run)):
        return []
    cell = (run.run["spec"]["seed"], run.run["spec"]["prompt"])
    tried = [t["seconds"] for t in trials]
    proposed = [p["seconds"] for p in run.proposals]
    found = []
    for test in known:
        # it stands until the trial after which the next one is proposed
        k = bisect.bisect_right(proposed, test["seconds"])
        first = bisect.bisect_right(tried, test["seconds"])
        last = bisect.bisect_right(tried, proposed[k]) - 1 if k < len(proposed) else len(tried)
        found.append(Looked(cell, first, max(first, last), test["loss"], test[_HELD_OUT]))
    return found


def at(answers: Sequence[Looked], trials: int) -> Looked | None:
    """What stood after so many trials; None where that was not measured, or there were fewer."""
    return next((a for a in answers if a.first <= trials <= a.last), None)


def best_at(answers: Sequence[Looked]) -> int:
    """The trials after which the answer was best on held-out data; later ones only looked so."""
    return min(answers, key=lambda a: a.held_out).first


def standing_at(ledgers: Sequence[Sequence[Looked]]) -> Iterator[tuple[int, list[Looked]]]:
    """At round numbers of trials, what stood in each run, where every run that went on measured it.

    A number that only some runs measured would be about those whose answer happened to stay.
    """
    for trials in _ROUND:
        went_on = [own for own in ledgers if own[-1].last >= trials]
        found = [a for own in went_on if (a := at(own, trials)) is not None]
        if len(found) == len(went_on) > 1:
            yield trials, found
