"""statistics.csv: what is known of each row beside mean and interval, a line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
import pandas as pd

from benchmark import escape
from benchmark.report.metrics import metric_of
from benchmark.report.statistics.chances import chances
from benchmark.report.statistics.medians import HELD, median, share
from benchmark.report.statistics.optimism import best_at, ledger, standing_at
from benchmark.report.statistics.quality import Times, curves_of, times
from benchmark.report.statistics.ranks import ranks
from benchmark.report.stats import Estimate, Values, beaten, estimate
from benchmark.report.table import Table

RANK = "mean rank"
BEATEN = "p that none is better"
CHANCE = "probability of the best mean"
STOPPED = "mean while searching"
TIME = "time to quality"
REACHED = "share that reached it"
SPEED_UP = "speed-up over random search"
OPTIMISM = "optimism"
BEST_AFTER = "best after"
_UNKNOWN = (math.nan, math.nan)


@dataclass(frozen=True)
class Statistic:
    """metric: that it is of; F: the upper objective.  low, high: as `how` says.  n: of values."""

    metric: str
    row: str
    statistic: str
    value: float
    low: float
    high: float
    n: int
    how: str


def statistics(table: Table) -> list[Statistic]:
    """Of the rows that are compared; of one alone, what needs no other."""
    return [*_compared(table), *_anytime(table), *_times(table), *_optimism(table)]


def sheet(found: Sequence[Statistic]) -> str:
    """The text of statistics.csv."""
    names = [f.name for f in fields(Statistic)]
    lines = [[escape.csv(v) if isinstance(v, str) else v for v in astuple(s)] for s in found]
    return str(pd.DataFrame(lines, columns=names).to_csv(index=False))


def first_compared(table: Table) -> str | None:
    """The first metric of a table that says which way is better."""
    return next((m for m in table.metrics if metric_of(m).lower is not None), None)


def compared(table: Table, metric: str) -> dict[str, Values]:
    """The values of rows that lack none, by label."""
    return {
        r.label: r.values[metric]
        for r in table.rows
        if r.values.get(metric) and not r.incomplete and not r.apart
    }


def _compared(table: Table) -> Iterator[Statistic]:
    """Ranks over seeds and prompts, and the probability of being the best."""
    for metric in table.metrics:
        lower = metric_of(metric).lower
        if lower is None:
            continue
        rows = compared(table, metric)
        if (found := ranks(rows, lower)) is not None:
            how = (
                f"of {len(rows)} rows, 1 is best, over seeds and prompts; one is better than "
                f"another where they are more than {found.critical:.3g} apart (5 % for all pairs)"
            )
            for label, rank in found.mean.items():
                yield Statistic(metric, label, RANK, rank, *_UNKNOWN, found.blocks, how)
        how = (
            "that no other row is better, by paired t tests with Holm's correction over the rows: "
            "below 0.05 this row is not the best"
        )
        for label, p in beaten(rows, lower).items():
            yield Statistic(metric, label, BEATEN, p, *_UNKNOWN, len(rows[label]), how)
        how = "from the paired seeds, rows taken as drawn from one normal law"
        for label, chance in chances(rows, lower).items():
            yield Statistic(metric, label, CHANCE, chance, *_UNKNOWN, len(rows[label]), how)


def _of(metric: str, row: str, what: str, e: Estimate, n: int, how: str) -> Statistic:
    return Statistic(metric, row, what, e.mean, e.low, e.high, n, how)


def _anytime(table: Table) -> Iterator[Statistic]:
    """The area under the curve over time, as a mean."""
    metric = table.main
    if metric is None or (lower := metric_of(metric).lower) is None:
        return
    curves = curves_of(table, metric)
    seen: dict[tuple[int, str], list[float]] = {}
    for own in curves.values():
        for cell, a in own.items():
            seen.setdefault(cell, []).extend(a.values)
    worst = {cell: (max if lower else min)(values) for cell, values in seen.items() if values}
    how = (
        "over the whole budget, so what one has on average who stops at a random moment of it; "
        "before the first answer the worst of all rows at the same seed counts; 95 % interval"
    )
    for label, own in curves.items():
        values = {c: a.mean(worst[c]) for c, a in own.items() if c in worst}
        if values:
            e = metric_of(metric).estimate(values)
            yield _of(metric, label, STOPPED, e, len(values), how)


def _times(table: Table) -> Iterator[Statistic]:
    found = times(table)
    if found is None or table.main is None:
        return
    unit = "evaluations" if table.unit == "nfe" else "seconds"
    how = (
        f"median of when an answer with {found.what} was proposed, in {unit}; inf: not within the "
        f"budget; known at marks alone, so too late where they are few; interval {HELD}"
    )
    for label, own in found.rows.items():
        values = list(own.values())
        yield Statistic(table.main, label, TIME, *median(values), len(values), how)
        had = share(int(np.isfinite(values).sum()), len(values))
        how_many = f"of the runs that had {found.what}; exact 95 % interval"
        yield Statistic(table.main, label, REACHED, *had, len(values), how_many)
    yield from _speed_ups(table.main, found)


def _speed_ups(metric: str, found: Times) -> Iterator[Statistic]:
    how = f"median ratio of times to {found.what}; 0: not within the budget; interval {HELD}"
    slow = found.rows.get(found.random, {})
    for label, own in found.rows.items() if slow else ():
        ratios = [slow[c] / own[c] for c in own if c in slow and math.isfinite(slow[c])]
        if ratios and label != found.random:
            yield Statistic(metric, label, SPEED_UP, *median(ratios), len(ratios), how)


def _optimism(table: Table) -> Iterator[Statistic]:
    """Held-out less searched F, after so many trials."""
    for row in table.rows:
        ledgers = [known for run in row.stored if (known := ledger(run))]
        for n, found in standing_at(ledgers):
            how = (
                f"held-out F less searched F of the answer that stood after {n} trials: above 0 "
                "it looked better than it is; 95 % interval"
            )
            e = estimate({a.cell: a.optimism for a in found})
            yield _of("F", row.label, f"{OPTIMISM} after {n}", e, len(found), how)
        if several := [float(best_at(own)) for own in ledgers if len(own) > 1]:
            how = (
                "trials after which the measured answer was best on held-out data, median; later "
                f"ones only looked better; interval {HELD}"
            )
            yield Statistic("F", row.label, BEST_AFTER, *median(several), len(several), how)
