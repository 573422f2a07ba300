"""Several runs on a terminal: a line for each that is at work, one for all, and what stands."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any, Self

from benchmark.budget import Budget
from benchmark.errors import one_line
from benchmark.escape import visible
from benchmark.runs.child import Child, label
from benchmark.runs.words import ended_how, seconds
from benchmark.spec import RunSpec
from benchmark.store.store import Stored

# the columns of a line of a terminal beside label and bar
_EMPTY: dict[str, Any] = {"phase": "", "spent": "", "best": "", "clock": ""}


def sentence(spec: RunSpec, found: Stored | None) -> str:
    """How a run ended: whose it is, why, its last F, and its seconds."""
    if found is None or found.open:
        return f"{label(spec)}: stopped"
    run = found.run
    parts = [ended_how(run["status"]) + (f": {one_line(run['error'])}" if run["error"] else "")]
    # a method may propose without an F of its own
    if found.proposals and math.isfinite(found.proposals[-1]["loss"]):
        parts.append(f"F {found.proposals[-1]['loss']:.4g}")
    elif run.get("no_incumbent"):
        parts.append("no answer")
    parts.append(f"{seconds(sum(run['ledger'].values()))} in all")
    return f"{label(spec)}: {'; '.join(parts)}"


class CountedLines:
    """Where there is no terminal: a line when a run begins, and one when it ends."""

    def __init__(self, total: int) -> None:
        self._total, self._begun, self._done = total, 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    def begun(self, spec: RunSpec) -> None:
        self._begun += 1
        self._say(f"begun ({self._begun} of {self._total}): {label(spec)}")

    def ended(self, spec: RunSpec, found: Stored | None) -> None:
        self._done += 1
        self._say(f"ended ({self._done} of {self._total}): {sentence(spec, found)}")

    def show(self, children: Sequence[Child]) -> None:
        """Nothing between."""

    def _say(self, text: str) -> None:
        # a terminal or a pipe that was closed must not end the runs
        with suppress(OSError, ValueError):
            print(visible(text), file=sys.stderr, flush=True)


class Silent(CountedLines):
    """For --quiet."""

    def _say(self, text: str) -> None:
        """Nothing."""


class Screen(CountedLines):
    """On a terminal, with rich."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        def text(field: str, **options: Any) -> TextColumn:
            column = Column(no_wrap=True, **options)
            return TextColumn("{task." + field + "}", markup=False, table_column=column)

        self._shown = Progress(
            text("description", overflow="ellipsis", ratio=1),
            text("fields[phase]"),
            BarColumn(10),
            text("fields[spent]", justify="right"),
            text("fields[best]"),
            text("fields[clock]", justify="right"),
            console=Console(file=sys.stderr),
            # no thread: the supervisor forks, and looks at its runs several times a second anyhow
            auto_refresh=False,
            expand=True,
        )
        self._rows: dict[str, Any] = {}
        self._all = self._shown.add_task("", total=1.0, **_EMPTY)
        self._since = time.monotonic()
        # seconds of the runs that ended
        self._took: list[float] = []
        self._began: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError, ValueError):
            self._shown.remove_task(self._all)
            self._shown.stop()

    def begun(self, spec: RunSpec) -> None:
        self._begun += 1
        self._rows[spec.run_id] = self._shown.add_task(visible(label(spec)), total=1.0, **_EMPTY)
        self._began[spec.run_id] = time.monotonic()

    def ended(self, spec: RunSpec, found: Stored | None) -> None:
        self._done += 1
        if (began := self._began.pop(spec.run_id, None)) is not None:
            self._took.append(time.monotonic() - began)
        with suppress(OSError, ValueError):
            self._shown.remove_task(self._rows.pop(spec.run_id))
            text = visible(sentence(spec, found))
            self._shown.console.print(text, markup=False, highlight=False)

    def show(self, children: Sequence[Child]) -> None:
        shares = 0.0
        with suppress(OSError, ValueError):
            for child in children:
                shares += self._row(child)
            self._shown.update(
                self._all,
                completed=(self._done + shares) / self._total,
                description=f"{self._done} of {self._total} runs",
                clock=self._left(shares),
            )
            self._shown.refresh()

    def _left(self, shares: float) -> str:
        """By the runs that ended; before, by the share of budgets, which no measurement is part of.

        shares: of their budgets, of the runs that are at work.
        """
        now, at_work = time.monotonic(), max(1, len(self._began))
        if self._took:
            mean = fmean(self._took)
            waiting = self._total - self._done - len(self._began)
            rest = sum(max(0.0, mean - (now - began)) for began in self._began.values())
            return f"about {seconds((rest + max(0, waiting) * mean) / at_work)} left"
        share = shares / self._total
        if not share > 0.02 or shares >= len(self._began):
            return ""
        return f"about {seconds((now - self._since) * (1 - share) / share)} left"

    def _row(self, child: Child) -> float:
        """Update a run's line; returns the share of its budget that is spent."""
        budget, (phase, spent, best) = Budget.parse(child.spec.budget), child.progress
        unit = "evaluations" if budget.unit == "nfe" else "s"
        share = min(1.0, spent / budget.amount) if budget.amount else 0.0
        self._shown.update(
            self._rows[child.spec.run_id],
            completed=share,
            phase=visible(phase),
            spent=f"{spent:,.0f} of {budget.amount:,.0f} {unit}",
            best="" if best is None else f"F {best:.4g}",
            clock=seconds(time.monotonic() - child.began),
        )
        return share


def display(total: int, slots: int, quiet: bool) -> CountedLines:
    """What fits: a screen, lines, or nothing where a lone run prints its own lines."""
    if quiet:
        return Silent(total)
    if sys.stderr.isatty():
        return Screen(total)
    return CountedLines(total) if slots > 1 else Silent(total)
