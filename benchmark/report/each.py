"""One run for each cell (row, seed, prompt) of a table, whatever is stored for it.

A finished run counts before a failed one. Of several finished ones the first that was started
counts, since a later copy could have been picked for its result. With `--at`, runs whose incumbent
was measured at that moment come before the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.report.frame import standing
from benchmark.store.store import Stored

_ROW = ["task", "preset", "budget", "passport", "method", "lower", "variant", "seed", "prompt"]
_SPEC = (
    "task",
    "preset",
    "method",
    "lower",
    "seed",
    "prompt",
    "budget",
    "device",
    "task_options",
    "method_options",
    "task_version",
    "fingerprint",
)


@dataclass
class Each:
    """at: as of `--at`.  others: by the folder of a run that counts, the finished that do not."""

    at: Budget | None = None
    others: dict[str, list[Stored]] = field(default_factory=dict)

    def by_specification(self, runs: Iterable[Stored]) -> list[Stored]:
        """Those that differ in marks and places alone are one run."""
        first: dict[str, Stored] = {}
        for run in sorted(runs, key=self._order):
            spec = run.run["spec"]
            self._seen(first, json.dumps([spec[name] for name in _SPEC], sort_keys=True), run)
        # in an order of names, so that a table does not depend on when its runs were started
        return sorted(first.values(), key=lambda r: str(r.folder))

    def by_row(self, frame: pd.DataFrame, runs: list[Stored]) -> list[int]:
        """Positions of the runs that count, of those in a frame that has their variants."""
        keys = list(frame[_ROW].itertuples(index=False, name=None)) if runs else []
        first: dict[str, Stored] = {}
        for k in sorted(range(len(runs)), key=lambda k: self._order(runs[k])):
            self._seen(first, repr(keys[k]), runs[k])
        # identity, since two copies of a run may be equal
        counting = {id(run) for run in first.values()}
        return [k for k, run in enumerate(runs) if id(run) in counting]

    def conflicts(self, runs: Iterable[Stored]) -> list[tuple[Stored, Stored]]:
        """(what counts, what does not) of finished runs of one cell whose results differ."""
        return [
            (r, o)
            for r in runs
            for o in self.others.get(str(r.folder), ())
            if _result(r) != _result(o)
        ]

    def _order(self, run: Stored) -> tuple[bool, bool, bool, str, str]:
        started = str(run.run.get("started") or "")
        # False sorts first; a run without a date could be of any, so it comes last
        return not run.done, not self._answers(run), not started, started, str(run.folder)

    def _answers(self, run: Stored) -> bool:
        """Whether what stood at the moment of `--at` was measured."""
        try:
            standing(run, self.at)
        except UsageError:
            return False
        return True

    def _seen(self, first: dict[str, Stored], key: str, run: Stored) -> None:
        counts = first.setdefault(key, run)
        if counts is not run and run.done:
            # a run that counted among its copies may lose its cell: its copies move with it
            losers = [run, *self.others.pop(str(run.folder), [])]
            self.others.setdefault(str(counts.folder), []).extend(losers)


def _result(run: Stored) -> object:
    """What is shown of a run: its answer, and what it scored."""
    last = run.tests[-1] if run.tests else {}
    # as values, for an earlier version stored the 4 of a whole-number axis as 4.0
    return last.get("lam"), last.get("metrics")
