"""The numbers of a table as CSV: table1.csv, and the differences between its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from benchmark import escape
from benchmark.report.costs import costs
from benchmark.report.metrics import always_in
from benchmark.report.rows import Row
from benchmark.report.stats import Difference, Estimate, difference
from benchmark.report.table import Table


def csv(table: Table) -> str:
    """The text of table1.csv: one row a method, then the lines of reference, which have no runs.

    The first columns are the same in every table1.csv; then come costs, other metrics, which
    entries are bold, and over how many cells rows are compared.
    """
    rows: list[dict[str, object]] = [_row(table, r) for r in table.rows]
    for name, line in table.references.items():
        rows.append({"method": escape.csv(name), "runs": 0, "failed": 0, **line})
    return str(pd.DataFrame(rows).to_csv(index=False))


def _row(table: Table, r: Row) -> dict[str, object]:
    first = always_in("table1")
    row: dict[str, object] = {"method": escape.csv(r.method)}
    for metric in first:
        row |= _spread(metric, r.metrics.get(metric))
    row |= {"time": r.time, "runs": r.runs, "failed": r.failed}
    row |= {"lower": escape.csv(r.lower), "variant": escape.csv(r.variant)}
    for name, cost in costs().items():
        if cost.fixed or any(name in other.costs for other in table.rows):
            row |= _spread(name, r.costs.get(name))
    for metric in table.metrics:
        if metric not in first:
            row |= _spread(metric, r.metrics.get(metric))
    return row | {
        "bold": " ".join(sorted(r.bold)),
        "tied": " ".join(sorted(r.tied)),
        "no_answer": r.unanswered,
        "incomplete": r.incomplete,
        "comparable": not r.apart,
        "cells": len(table.cells.shared),
        "of_cells": table.cells.total,
    }


def _spread(name: str, e: Estimate | None) -> dict[str, float | None]:
    values = (None, None, None) if e is None else (e.mean, e.low, e.high)
    return dict(zip((name, f"{name}_ci_low", f"{name}_ci_high"), values, strict=True))


def differences(table: Table) -> str:
    """Each row minus each other one, as CSV, over the cells that both have.

    n, mean, 95 % interval and two-sided p by a paired t test. p is not corrected for their number:
    it is for a pair that was chosen before the results were seen.
    """
    names = ["metric", "one", "other", "n", "difference", "ci_low", "ci_high", "p"]
    rows = [row for m in table.metrics for row in _pairs(table, m)]
    return str(pd.DataFrame(rows, columns=names).to_csv(index=False))


def _pairs(table: Table, metric: str) -> Iterator[list[object]]:
    for k, one in enumerate(table.rows):
        for other in table.rows[k + 1 :]:
            found = difference(one.values.get(metric, {}), other.values.get(metric, {}))
            if found is not None:
                names = [escape.csv(one.label), escape.csv(other.label)]
                yield [metric, *names, found.n, found.mean, found.low, found.high, found.p]


def versus(table: Table, metric: str, one: str, other: str) -> Difference | None:
    """One row minus another, by labels; None where they share no cell. Raises KeyError."""
    values = {r.label: r.values for r in table.rows}
    return difference(values[one].get(metric, {}), values[other].get(metric, {}))
