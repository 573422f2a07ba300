"""One run for each cell (row, seed, prompt) of a table, whatever is stored for it.

A finished run counts before a failed one and, of several finished ones, that which was started first: a later copy could
have been picked for its result. With `--at`, those come first that measured what stood then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.frame import standing
from benchmark.store import Stored

_ROW = ["task", "preset", "budget", "passport", "method", "lower", "variant", "seed", "prompt"]
_SPEC = (
    "task", "preset", "method", "lower", "seed", "prompt", "budget", "device", "task_options", "method_options",
    "task_version", "fingerprint",
)  # fmt: skip


@dataclass
class Each:
    """at: as of `--at`.  others: by the folder of a run that counts, the finished ones that do not."""

    at: Budget | None = None
    others: dict[str, list[Stored]] = field(default_factory=dict)

    def by_specification(self, runs: Iterable[Stored]) -> list[Stored]:
        """Those that differ in marks and places alone are one run."""
        found: dict[str, Stored] = {}
        for run in sorted(runs, key=self._order):
            spec = run.run["spec"]
            self._seen(found, json.dumps([spec[name] for name in _SPEC], sort_keys=True), run)
        return sorted(found.values(), key=lambda r: str(r.folder))

    def by_row(self, frame: pd.DataFrame, runs: list[Stored]) -> list[int]:
        """Positions of the runs that count, of those in a frame that has their variants."""
        keys = list(frame[_ROW].itertuples(index=False, name=None)) if runs else []
        found: dict[str, Stored] = {}
        for k in sorted(range(len(runs)), key=lambda k: self._order(runs[k])):
            self._seen(found, repr(keys[k]), runs[k])
        kept = {id(run) for run in found.values()}
        return [k for k, run in enumerate(runs) if id(run) in kept]

    def conflicts(self, runs: Iterable[Stored]) -> list[tuple[Stored, Stored]]:
        """(what counts, what does not) of finished runs of one cell whose results differ."""
        return [(r, o) for r in runs for o in self.others.get(str(r.folder), ()) if _result(r) != _result(o)]

    def _order(self, run: Stored) -> tuple[bool, bool, bool, str, str]:
        started = str(run.run.get("started") or "")
        return not run.done, not self._answers(run), not started, started, str(run.folder)

    def _answers(self, run: Stored) -> bool:
        try:
            standing(run, self.at)
        except UsageError:
            return False
        return True

    def _seen(self, found: dict[str, Stored], key: str, run: Stored) -> None:
        first = found.setdefault(key, run)
        if first is not run and run.done:
            self.others.setdefault(str(first.folder), []).extend([run, *self.others.pop(str(run.folder), [])])


def _result(run: Stored) -> str:
    """What is shown of a run: its answer, and what it scored."""
    last = run.tests[-1] if run.tests else {}
    return json.dumps([last.get("lam"), last.get("metrics")], sort_keys=True)
