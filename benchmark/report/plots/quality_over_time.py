"""A metric of the incumbent against what the search had spent."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.budget import Budget, Unit
from benchmark.report.look import APART, SPENT, label, last, legend, looks, spent_axis, subplots
from benchmark.report.metrics import metric_of
from benchmark.report.spending import whole
from benchmark.report.table import Table
from benchmark.store.store import Stored


def quality_over_time(table: Table) -> Figure | None:
    """The metric of the incumbent at the marks and at the end of the search.

    In steps, for between two marks nothing was measured; a method that ended keeps its answer (thin
    line). Rows stand a little apart, so that their intervals can be told.
    """
    metric = table.main
    if metric is None:
        return None
    figure, axes = subplots(figsize=(7, 4.2))
    end = last(table)
    first = end
    for k, row in enumerate(table.rows):
        measured = [r for r in row.stored if r.tests and metric in r.tests[-1]["metrics"]]
        points = _at_marks(measured, metric, table.unit)
        if not points:
            continue
        x, middle, low, high = (np.array(v) for v in zip(*points, strict=True))
        first = min(first, float(x[0]))
        x = x * APART ** (k - (len(table.rows) - 1) / 2)
        look = looks(table)[row.label]
        colour = look["color"]
        if np.isfinite(low).all():
            bars = [middle - low, high - middle]
            axes.errorbar(x, middle, yerr=bars, fmt="none", color=colour, capsize=2, lw=0.8)
        axes.plot(x, middle, label=row.label, lw=1.4, ms=5, drawstyle="steps-post", **look)
        axes.plot([x[-1], max(end, x[-1])], [middle[-1]] * 2, color=colour, lw=0.8, alpha=0.6)
    if not axes.lines:
        return None
    spent_axis(axes, first / 1.2, end * 1.15, table.unit)
    what = " (method + objective)" if table.unit == "s" else ""
    axes.set_xlabel(f"{SPENT[table.unit]} of search{what}")
    axes.set(ylabel=label(table, metric), title=table.title)
    legend(axes)
    return figure


def _at_marks(
    runs: list[Stored], metric: str, unit: Unit
) -> list[tuple[float, float, float, float]]:
    """(spent, mean, low, high) at each mark that all runs reached with a proposal, and the end."""
    # a mark that only some runs reached would be a mean over the fast ones
    points = []
    marks = [Budget.parse(m).amount for m in (runs[0].run["spec"]["marks"] if runs else ())]
    for mark in sorted({*marks, float("inf")}):
        at: dict[tuple[int, str], float] = {}
        when = []
        for r in runs:
            tests = [t for t in r.tests if t["nfe" if unit == "nfe" else "seconds"] <= mark]
            if tests and metric in tests[-1]["metrics"]:
                at[(r.run["spec"]["seed"], r.run["spec"]["prompt"])] = tests[-1]["metrics"][metric]
                when.append(min(mark, whole(r, unit)))
        if runs and len(at) == len(runs):
            e = metric_of(metric).estimate(at)
            points.append((float(np.mean(when)), e.mean, e.low, e.high))
    return sorted(set(points))
