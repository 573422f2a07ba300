"""One metric against another, a point a row."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.report import intervals
from benchmark.report.look import label, legend, looks, subplots
from benchmark.report.metrics import always_in
from benchmark.report.table import Table


def trade_off(table: Table) -> Figure | None:
    """The first two metrics of every table1.csv against each other, where the table has both."""
    metrics = always_in("table1")[:2]
    if len(metrics) < 2 or not {*metrics} <= {*table.metrics}:
        return None
    return against(table, *metrics)


def against(table: Table, x: str, y: str) -> Figure:
    """Mean and interval of metric y over metric x, of the rows that have both."""
    figure, axes = subplots(figsize=(6.5, 4.2))
    rows = [row for row in table.rows if {x, y} <= row.metrics.keys()]
    sides: tuple[tuple[intervals.Side, str, str], ...] = (("x", x, y), ("y", y, x))
    for side, own, _ in sides:
        found = [row.metrics[own] for row in rows]
        intervals.show(axes, side, [(e.mean, e.low, e.high) for e in found])
    cut = {}
    for row in rows:
        # the bars apart, for in the legend they would say nothing
        look = {**looks(table)[row.label], "linestyle": ""}
        for side, own, other in sides:
            e, at = row.metrics[own], np.array([row.metrics[other].mean])
            ends = np.array([e.low]), np.array([e.high])
            if intervals.draw(axes, side, at, *ends, lw=1.2, color=look["color"]):
                cut[side] = True
        axes.plot(row.metrics[x].mean, row.metrics[y].mean, ms=7, label=row.label, **look)
    if cut:
        intervals.explain(axes, min(cut))
    axes.set(xlabel=label(table, x), ylabel=label(table, y), title=table.title)
    legend(axes)
    return figure
