"""A metric of the incumbent against what the search had spent."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.report import intervals
from benchmark.report.look import (
    ROOM,
    SPENT,
    apart,
    label,
    last,
    legend,
    looks,
    spent_axis,
    subplots,
)
from benchmark.report.over_time import means, views
from benchmark.report.spending import spent, spent_by
from benchmark.report.table import Table

# rows whose intervals can be told where all stand at one place
_FEW = 7
# inches of a row's place in the panel of the end
_PLACE = 0.16


def quality_over_time(table: Table) -> Figure | None:
    """The metric of the incumbent at the marks and at the end of the search.

    In steps, for between two marks nothing was measured; a method that ended keeps its answer (thin
    line). Rows stand a little apart, so that their intervals can be told; many also have a panel of
    what they ended with.
    """
    metric = table.main
    if metric is None:
        return None
    curves = _of_rows(table, metric)
    found = [(row, curves[row.label]) for row in table.rows if row.label in curves]
    if not found:
        return None
    figure, axes, ends = _panels([row.label for row, _ in found])
    first, end = min(points[0, 0] for _, points in found), last(table)
    spent_axis(axes, first / ROOM, end * ROOM, table.unit)
    intervals.show(axes, "y", [point[1:] for _, points in found for point in points])
    cut = False
    for k, (row, points) in enumerate(found):
        x, middle, low, high = points.T
        x = x * apart(k, len(found))
        look = looks(table)[row.label]
        colour = look["color"]
        cut |= intervals.draw(axes, "y", x, low, high, color=colour)
        axes.plot(x, middle, label=row.label, lw=1.4, ms=5, drawstyle="steps-post", **look)
        axes.plot([x[-1], max(end, x[-1])], [middle[-1]] * 2, color=colour, lw=0.8, alpha=0.6)
        if ends:
            intervals.draw(ends, "y", np.array([k]), low[-1:], high[-1:], color=colour)
            ends.plot(k, middle[-1], ms=5, **look)
    if cut:
        intervals.explain(axes, "y")
    what = " (method + objective)" if table.unit == "s" else ""
    axes.set_xlabel(f"{SPENT[table.unit]} of search{what}")
    axes.set(ylabel=label(table, metric), title=table.title)
    handles, names = axes.get_legend_handles_labels()
    legend(ends or axes, handles=handles, labels=names)
    return figure


def _panels(labels: list[str]) -> tuple[Figure, Axes, Axes | None]:
    """A figure, its axes over time, and those of the end, with a place for each of many rows."""
    if len(labels) <= _FEW:
        return *subplots(figsize=(7, 4.2)), None
    size = (6.4 + _PLACE * len(labels), 4.2)
    shares = [5.0, _PLACE * len(labels)]
    figure, (axes, ends) = subplots(1, 2, figsize=size, sharey=True, width_ratios=shares)
    figure.subplots_adjust(wspace=0.05)
    ends.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    ends.set(xlim=(-0.7, len(labels) - 0.3), title="at the end")
    return figure, axes, ends


def _of_rows(table: Table, metric: str) -> dict[str, NDArray[np.float64]]:
    """By row (points, 4): spent, mean, low and high, see `means`."""
    at, points = views(table), defaultdict(list)
    for mean in means(table, at, [metric]):
        by_then = (spent_by(run, at[mean.mark].at) for run in mean.runs)
        x = np.mean([spent(record, table.unit) for record in by_then])
        e = mean.estimate
        points[mean.row].append((float(x), e.mean, e.low, e.high))
    return {name: np.array(sorted(set(found))) for name, found in points.items()}
