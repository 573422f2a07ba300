"""How soon each run had a given quality: what random search had at its end, unless one is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.report.metrics import metric_of
from benchmark.report.statistics.anytime import Anytime
from benchmark.report.stats import Cell, Values
from benchmark.report.table import Table

RANDOM = "random"


@dataclass(frozen=True)
class Times:
    """By row, what each cell's run had spent when it first had the quality; inf where it never had.

    what: the quality, in words.  random: the row that set it, or "".
    """

    what: str
    random: str
    rows: Mapping[str, Values]


def curves_of(table: Table, metric: str) -> dict[str, dict[Cell, Anytime]]:
    """By row and cell, of the cells that the table compares; rows apart are left out."""
    found = {}
    for row in table.rows:
        runs = {(r.run["spec"]["seed"], r.run["spec"]["prompt"]): r for r in row.stored}
        own = {c: r for c, r in runs.items() if c in table.cells.shared and not row.apart}
        found[row.label] = {c: Anytime.of(r, metric, table.unit) for c, r in own.items()}
    return {label: own for label, own in found.items() if own}


def times(table: Table) -> Times | None:
    """Of the picture's metric; None where there is no run, or nothing that sets the quality."""
    metric = table.main
    if metric is None or (lower := metric_of(metric).lower) is None:
        return None
    curves = curves_of(table, metric)
    if table.target is not None:
        asked = dict.fromkeys(table.cells.shared, table.target)
        what, random = f"{table.heading(metric)} {table.target:g}", ""
    else:
        random = _random(table, metric, lower)
        ends = {c: a.values for c, a in curves.get(random, {}).items()}
        asked = {c: values[-1] for c, values in ends.items() if values}
        what = f"the {table.heading(metric)} that {random} had at its end, at the same seed"
    if not asked:
        return None
    rows = {
        label: {c: a.until(asked[c], lower) for c, a in own.items() if c in asked}
        for label, own in curves.items()
    }
    return Times(what, random, {label: own for label, own in rows.items() if own})


def _random(table: Table, metric: str, lower: bool) -> str:
    """The best row of random search, so that nobody is faster than a weak one alone; "": none."""
    sign = 1 if lower else -1
    rows = [r for r in table.rows if r.method == RANDOM and metric in r.metrics]
    return min(rows, key=lambda r: sign * r.metrics[metric].mean).label if rows else ""
