"""From the frame of runs to the numbers of a table: one group for each comparable set, one row a method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from benchmark.budget import Budget, Unit
from benchmark.columns import COSTS, METRICS
from benchmark.compare import Cells, Failures, filled
from benchmark.each import Each
from benchmark.frame import REFERENCE, frame
from benchmark.schema import DONE
from benchmark.stats import Cell, Estimate, Values, best
from benchmark.store import Stored
from benchmark.variants import variants


@dataclass(frozen=True)
class Row:
    """One method (on one lower-level solver). costs: of the search, by name in COSTS.  bold: metrics in which it has the
    best mean.  tied: others in which it may be the best.

    variant: the options in which it differs from the same method elsewhere in the table.  stored: its finished runs.
    unanswered: runs that proposed nothing in time.  shared: whether its seconds are not to be compared: any of them ran
    beside others on one machine, or on another kind of machine than most of the table's.
    incomplete, apart: see `Cells`.  values: what the metrics are means of, by metric.
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
class Table:
    """One comparable set of runs: same task, preset, budget, device and passport.

    unit: the budget's.  frame: its part of `frame`, from which all else follows.  names: what a metric's heading adds.
    runs: what is stored of them; empty where the frame was read from a file.  base: what rows without options have.
    cells: what the rows are compared over.  failures: see `Failures`.  references: lines that no method made, by name: metrics.
    left_out: how many stored runs of the same set are not in it.  undrawn: pictures that failed, and why.  conflicts: of
    finished runs of one cell whose results differ, (the one that counts, another).
    """

    title: str
    unit: Unit
    metrics: list[str]
    rows: list[Row]
    frame: pd.DataFrame
    names: dict[str, str] = field(default_factory=dict)
    runs: list[Stored] = field(default_factory=list)
    at: Budget | None = None
    base: str = ""
    cells: Cells = field(default_factory=lambda: Cells(frozenset(), 0, frozenset(), frozenset()))
    failures: Failures = "common"
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: int = 0
    undrawn: tuple[str, ...] = ()
    conflicts: list[tuple[Stored, Stored]] = field(default_factory=list)

    def heading(self, metric: str) -> str:
        """Such as `FID (digits)`."""
        return METRICS[metric].head + (f" ({self.names[metric]})" if metric in self.names else "")


def _values(part: pd.DataFrame, column: str) -> Values:
    kept = part.dropna(subset=[column])
    return {(int(s), str(p)): float(v) for s, p, v in zip(kept["seed"], kept["prompt"], kept[column], strict=True)}


def _cells(part: pd.DataFrame) -> set[Cell]:
    return {(int(s), str(p)) for s, p in zip(part["seed"], part["prompt"], strict=True)}


@dataclass(frozen=True)
class _Group:
    """The runs of one row. scored: those with a score.  spent: finished ones, whose costs are known."""

    asked: pd.DataFrame
    scored: pd.DataFrame
    spent: pd.DataFrame

    @classmethod
    def of(cls, rows: pd.DataFrame, metrics: Sequence[str]) -> _Group:
        done = rows[rows["status"].isin(DONE)]
        return cls(rows, done.dropna(subset=list(metrics), how="all") if metrics else done[:0], done)


def _metrics(
    groups: dict[str, _Group], cells: Cells, names: Sequence[str], failures: Failures
) -> dict[str, dict[str, Values]]:
    """By metric, the values of each row over what rows are compared over; of a row apart over its own cells."""
    asked = {name: _cells(g.asked) & cells.shared for name, g in groups.items()}
    found: dict[str, dict[str, Values]] = {}
    for metric in names:
        rows: dict[str, Values] = {
            name: {c: v for c, v in _values(g.scored, metric).items() if name in cells.apart or c in cells.shared}
            for name, g in groups.items()
        }
        lower = METRICS[metric].lower
        if failures == "worst" and lower is not None:
            near = {name: v for name, v in rows.items() if v and name not in cells.apart}
            rows |= filled(near, asked, lower)
        found[metric] = rows
    return found


def _costs(group: _Group, cells: Cells, apart: bool) -> dict[str, Values]:
    """Over the same cells as the metrics; over all its own where a row has none of them."""
    known = group.spent
    kept = [apart or cell in cells.shared for cell in zip(known["seed"], known["prompt"], strict=True)]
    part = known[kept] if any(kept) else known
    return {c: _values(part, "search_seconds" if c == "time" else c) for c in COSTS}


def _top(rows: dict[str, Values], metric: str) -> set[str]:
    """Those with the best mean."""
    sign = 1 if METRICS[metric].lower else -1
    means = {name: sign * METRICS[metric].estimate(v).mean for name, v in rows.items()}
    return {name for name, mean in means.items() if mean == min(means.values())}


def _references(part: pd.DataFrame, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """The mean over prompts of each line's metrics; a line does not depend on the seed."""
    found: dict[str, dict[str, float]] = {}
    for column in (c for c in part.columns if c.startswith(REFERENCE) and part[c].notna().any()):
        line, _, metric = column.removeprefix(REFERENCE).rpartition(".")
        if metric in metrics:
            found.setdefault(line, {})[metric] = float(part.groupby("prompt")[column].mean().mean())
    return found


def machines(part: pd.DataFrame) -> dict[str, int]:
    """How many finished runs there are of each kind of machine that is known, the most first."""
    known = part.loc[part["status"].isin(DONE), "machine"].dropna() if "machine" in part else pd.Series([], dtype=str)
    counts = Counter(name for name in map(str, known) if name)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _table(title: str, part: pd.DataFrame, stored: Sequence[Stored], at: Budget | None, failures: Failures) -> Table:
    """The table of a part of the runs; its index says which of `stored` they are, if any are."""
    done = part["status"].isin(DONE)
    metrics = [m for m in METRICS if m in part.columns and part.loc[done, m].notna().any()]
    names = {m: str(part[k].dropna().iloc[0]) for m in metrics if (k := f"{m}_name") in part and part[k].notna().any()}
    budget = Budget.parse(part["budget"].iloc[0])
    over = (part["nfe"] - budget.amount).clip(lower=0) if budget.unit == "nfe" else np.nan
    part = part.assign(overrun_nfe=over)
    split = {tuple(map(str, key)): rows for key, rows in part.groupby(["method", "lower", "variant"], sort=True)}
    groups = {str(key): _Group.of(rows, metrics) for key, rows in split.items()}
    cells = Cells.of(
        {name: _cells(g.scored) for name, g in groups.items()},
        {name: _cells(g.asked) for name, g in groups.items()},
        failures,
    )
    values = _metrics(groups, cells, metrics, failures)
    whole = {name for name in groups if name not in cells.incomplete | cells.apart}
    marked = {
        metric: best({name: v for name, v in values[metric].items() if name in whole}, down)
        for metric in metrics
        if (down := METRICS[metric].lower) is not None
    }
    tops = {metric: _top({name: values[metric][name] for name in kept}, metric) for metric, kept in marked.items()}
    usual = set(list(machines(part))[:1])
    rows = []
    for key, (name, g) in zip(split, groups.items(), strict=True):
        rows.append(
            Row(
                method=key[0],
                lower=key[1],
                variant=key[2],
                metrics={m: METRICS[m].estimate(v) for m in metrics if (v := values[m][name])},
                costs={c: COSTS[c].estimate(v) for c, v in _costs(g, cells, name in cells.apart).items() if v},
                runs=len(g.asked),
                failed=int((g.asked["status"] == "failed").sum()),
                bold={m for m, top in tops.items() if name in top},
                tied={m for m, kept in marked.items() if name in kept - tops[m]},
                stored=[stored[i] for i in g.spent.index] if stored else [],
                unanswered=len(g.spent) - len(g.scored),
                shared=bool("jobs" in g.spent and (g.spent["jobs"] > 1).any()) or bool(set(machines(g.spent)) - usual),
                incomplete=name in cells.incomplete,
                apart=name in cells.apart,
                values={m: values[m][name] for m in metrics},
            )
        )
    runs = [stored[i] for i in part.index] if stored else []
    kept = part.drop(columns="overrun_nfe")
    references = _references(part, metrics)
    return Table(title, budget.unit, metrics, rows, kept, names, runs, at, "", cells, failures, references)


def tables(
    runs: Iterable[Stored], at: Budget | None = None, across: bool = False, failures: Failures = "common"
) -> list[Table]:
    """The comparable sets of some stored runs, each a table; unfinished runs are left out. Raises UsageError.

    across: task options may differ within a set; what differs from most runs becomes part of a row's name.
    """
    each, rows, stored, base = _chosen(runs, at, at, across)
    found = tables_of(rows, stored, at, failures)
    return [replace(t, base=base, conflicts=each.conflicts(t.runs)) for t in found]


def _chosen(
    runs: Iterable[Stored], at: Budget | None, measured: Budget | None, across: bool
) -> tuple[Each, pd.DataFrame, list[Stored], str]:
    """One run for each cell: how it was chosen, their rows as `measured` (or at the end), they, and what rows have in common."""
    each = Each(at)
    stored = each.by_specification(r for r in runs if r.run["status"] in (*DONE, "failed"))
    named, base = variants(stored, across)
    rows = frame(stored, measured, across).assign(variant=named)
    kept = each.by_row(rows, stored)
    return each, rows.iloc[kept].reset_index(drop=True), [stored[k] for k in kept], base


def tables_of(
    found: pd.DataFrame, stored: Sequence[Stored] = (), at: Budget | None = None, failures: Failures = "common"
) -> list[Table]:
    """Comparable sets of `frame`'s rows, each a table. stored: the runs behind the rows, in their order, if they are at hand."""
    return [_table(title, part, stored, at, failures) for title, part in _titled(found, at)]


def _titled(found: pd.DataFrame, at: Budget | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of each. A run without a score joins those that it may be one of."""
    for (task, preset, budget), part in found.groupby(["task", "preset", "budget"], sort=True) if len(found) else ():
        sets = _sets(part)
        for name, chosen in sets.items():
            title = f"{task}, {preset}, budget {budget}" + (f", at {at}" if at else "")
            yield title + (f", settings {name}" if len(sets) > 1 else ""), chosen


def _sets(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By passport, its runs, and those without a score that differ from them in nothing that is known of these.

    Runs without a score that are like none of the others are sets of their own, by what is known of them.
    """
    lost = part["passport"] == ""
    known = part["known"].fillna("") if "known" in part else pd.Series("", part.index)
    found: dict[str, pd.DataFrame] = {}
    for passport in sorted(set(part["passport"]) - {""}):
        own = part["passport"] == passport
        found[passport] = part[own | (lost & known.isin([*known[own], ""]))]
    left = lost & ~known.isin([*known[~lost], ""])
    found |= {name: part[left & (known == name)] for name in sorted(set(known[left]))}
    return found or {"": part}


@dataclass(frozen=True)
class Beside:
    """What is stored beside the runs of a table. sizes: how many runs each comparable set has, by `set_of` it."""

    sizes: dict[tuple[str, ...], int]
    each: Each

    @classmethod
    def of(cls, runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> Beside:
        each, rows, _, _ = _chosen(runs, at, None, across)
        return cls({set_of(part): len(part) for _, part in _titled(rows, None)}, each)


def set_of(part: pd.DataFrame) -> tuple[str, ...]:
    """What names a comparable set, of its rows."""
    first = part.iloc[0]
    passports = sorted(set(part["passport"]) - {""})
    known = [] if passports or "known" not in part else sorted(set(part["known"].fillna("")))
    return (first["task"], first["preset"], first["budget"], *passports, *known)
