"""One metric against another, a point a row."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.look import label, legend, looks, subplots
from benchmark.report.metrics import always_in
from benchmark.report.stats import Estimate
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
    for row in table.rows:
        if {x, y} <= row.metrics.keys():
            look = looks(table)[row.label]
            axes.errorbar(
                row.metrics[x].mean,
                row.metrics[y].mean,
                xerr=_bars(row.metrics[x]),
                yerr=_bars(row.metrics[y]),
                color=look["color"],
                fmt="none",
                capsize=3,
                lw=1.2,
            )
            # the bars apart, for in the legend they would say nothing
            look = {**look, "linestyle": ""}
            axes.plot(row.metrics[x].mean, row.metrics[y].mean, ms=7, label=row.label, **look)
    axes.set(xlabel=label(table, x), ylabel=label(table, y), title=table.title)
    legend(axes)
    return figure


def _bars(e: Estimate) -> list[list[float]] | None:
    return [[e.mean - e.low], [e.high - e.mean]] if np.isfinite(e.low) else None
