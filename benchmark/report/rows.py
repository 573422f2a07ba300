"""From the runs of a comparable set to the rows of its table.

runs of the set -> groups, one a row -> cells, over which rows are compared
groups x cells  -> values[metric][row], {(seed, prompt): value} -> marks and estimates -> rows
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.compare import Cells, Failures, filled
from benchmark.report.costs import costs as every_cost
from benchmark.report.costs import spent
from benchmark.report.metrics import metric_of
from benchmark.report.stats import Cell, Estimate, Values, best
from benchmark.store.schema import DONE
from benchmark.store.store import Stored

ByRow = dict[str, Values]
"""The values of each row, by the row's key."""


@dataclass(frozen=True)
class Row:
    """One method on one lower-level solver.

    costs: of the search, by name.  bold: metrics in which it has the best mean.  tied: others in
        which it may be the best.
    variant: the options in which it differs from the same method elsewhere in the table.  stored:
        its finished runs.  unanswered: runs that proposed nothing in time.
    shared: its seconds are not to be compared: a run of it shared its machine, or ran on another
        kind of machine than most of the table's.
    incomplete, apart: see `Cells`.  lost: its failed runs, as stored.  values: what the metrics
        are means of, by metric.
    """

    method: str
    lower: str
    variant: str
    metrics: dict[str, Estimate]
    costs: dict[str, Estimate]
    runs: int
    failed: int
    bold: set[str]
    tied: set[str]
    stored: list[Stored]
    unanswered: int = 0
    shared: bool = False
    incomplete: bool = False
    apart: bool = False
    lost: list[Stored] = field(default_factory=list)
    values: dict[str, Values] = field(default_factory=dict)

    @property
    def label(self) -> str:
        inside = ", ".join(filter(None, (self.lower, self.variant)))
        return f"{self.method} ({inside})" if inside else self.method

    @property
    def time(self) -> float:
        """Mean seconds of search; nan where no run ended well."""
        return self.costs["time"].mean if "time" in self.costs else np.nan


@dataclass(frozen=True)
class _Group:
    """The runs of one row. scored: those with a score.  spent, lost: those finished and failed."""

    name: tuple[str, str, str]
    asked: pd.DataFrame
    scored: pd.DataFrame
    spent: pd.DataFrame
    lost: pd.DataFrame

    @classmethod
    def of(cls, name: tuple[str, str, str], rows: pd.DataFrame, metrics: Sequence[str]) -> _Group:
        done = rows[rows["status"].isin(DONE)]
        # a search without an answer has a cost and no score
        scored = done.dropna(subset=list(metrics), how="all") if metrics else done[:0]
        return cls(name, rows, scored, done, rows[rows["status"] == "failed"])


@dataclass(frozen=True)
class _Marks:
    """By metric: the rows with the best mean, and others that may be the best."""

    best: Mapping[str, set[str]]
    tied: Mapping[str, set[str]]


def rows_of(
    part: pd.DataFrame, stored: Sequence[Stored], metrics: Sequence[str], failures: Failures
) -> tuple[list[Row], Cells]:
    """The rows of a comparable set, and what they are compared over. stored: see `tables_of`."""
    groups = {}
    for key, runs in part.groupby(["method", "lower", "variant"], sort=True):
        method, lower, variant = map(str, key)
        groups[str((method, lower, variant))] = _Group.of((method, lower, variant), runs, metrics)
    cells = Cells.of(
        {name: _cells(g.scored) for name, g in groups.items()},
        {name: _cells(g.asked) for name, g in groups.items()},
        failures,
    )
    values = {m: _values_of_rows(groups, cells, m, failures) for m in metrics}
    marks = _marks(values, set(groups) - cells.incomplete - cells.apart)
    costs = _costs(part)
    # seconds are compared with those of the machine that most runs had
    usual = set(list(machines(part))[:1])
    rows = []
    for name, group in groups.items():
        ran = [stored[i] for i in group.spent.index] if stored else []
        own = {m: values[m][name] for m in metrics}
        estimates = _estimates(group, costs, cells, name in cells.apart)
        lost = [stored[i] for i in group.lost.index] if stored else []
        rows.append(_row(name, group, own, estimates, marks, cells, usual, ran, lost))
    return rows, cells


def machines(part: pd.DataFrame) -> dict[str, int]:
    """How many finished runs there are of each kind of machine that is known, the most first."""
    if "machine" not in part:
        return {}
    known = part.loc[part["status"].isin(DONE), "machine"].dropna()
    counts = Counter(name for name in map(str, known) if name)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _row(
    name: str,
    group: _Group,
    values: dict[str, Values],
    costs: dict[str, Estimate],
    marks: _Marks,
    cells: Cells,
    usual: set[str],
    ran: list[Stored],
    lost: list[Stored],
) -> Row:
    """name: its key among the groups.  usual: the machine of most runs.  ran, lost: its finished
    and its failed runs.
    """
    spent = group.spent
    beside = "jobs" in spent and bool((spent["jobs"] > 1).any())
    return Row(
        *group.name,
        metrics={m: metric_of(m).estimate(v) for m, v in values.items() if v},
        costs=costs,
        runs=len(group.asked),
        failed=len(group.lost),
        bold={m for m, names in marks.best.items() if name in names},
        tied={m for m, names in marks.tied.items() if name in names},
        stored=ran,
        unanswered=len(spent) - len(group.scored),
        shared=beside or bool(set(machines(spent)) - usual),
        incomplete=name in cells.incomplete,
        apart=name in cells.apart,
        lost=lost,
        values=values,
    )


def _by_cell(part: pd.DataFrame, values: Sequence[float | None]) -> Values:
    return {
        (int(s), str(p)): float(v)
        for s, p, v in zip(part["seed"], part["prompt"], values, strict=True)
        if v is not None and not pd.isna(v)
    }


def _cells(part: pd.DataFrame) -> set[Cell]:
    return {(int(s), str(p)) for s, p in zip(part["seed"], part["prompt"], strict=True)}


def _values_of_rows(
    groups: Mapping[str, _Group], cells: Cells, metric: str, failures: Failures
) -> ByRow:
    """A metric's values over what rows are compared over; of a row apart over its own cells."""
    found: ByRow = {}
    for name, group in groups.items():
        own = _by_cell(group.scored, list(group.scored[metric]))
        found[name] = {c: v for c, v in own.items() if cells.counts(c, name in cells.apart)}
    lower = metric_of(metric).lower
    if failures == "worst" and lower is not None:
        asked = {name: _cells(g.asked) & cells.shared for name, g in groups.items()}
        # a row apart shares no cell with the others, so their worst says nothing of it
        near = {name: v for name, v in found.items() if v and name not in cells.apart}
        found |= filled(near, asked, lower)
    return found


def _costs(part: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """By the name of a cost, its values in the finished runs."""
    # of all rows at once, so that a cost that fails for one run is in none of them
    done = part[part["status"].isin(DONE)]
    lines = [{str(k): v for k, v in line.items()} for line in done.to_dict("records")]
    return {name: pd.Series(v, done.index, dtype=object) for name, v in spent(lines).items()}


def _estimates(
    group: _Group, costs: Mapping[str, pd.Series[Any]], cells: Cells, apart: bool
) -> dict[str, Estimate]:
    """Over the same cells as the metrics; over all its own where a row has none of them."""
    whole, every = group.spent, every_cost()
    shared = [cells.counts(c, apart) for c in zip(whole["seed"], whole["prompt"], strict=True)]
    part = whole[shared] if any(shared) else whole
    found = {name: _by_cell(part, list(values[part.index])) for name, values in costs.items()}
    return {name: every[name].estimate(values) for name, values in found.items() if values}


def _marks(values: Mapping[str, ByRow], whole: set[str]) -> _Marks:
    """Among the rows of `whole`, which lack no score; of metrics with a direction alone."""
    top, tied = {}, {}
    for metric, rows in values.items():
        lower = metric_of(metric).lower
        if lower is None:
            continue
        marked = best({name: v for name, v in rows.items() if name in whole}, lower)
        sign = 1 if lower else -1
        means = {name: sign * metric_of(metric).estimate(rows[name]).mean for name in marked}
        # more than one where means are equal to the last digit
        top[metric] = {name for name, mean in means.items() if mean == min(means.values())}
        tied[metric] = marked - top[metric]
    return _Marks(top, tied)
