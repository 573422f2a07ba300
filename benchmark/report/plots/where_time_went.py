"""Seconds of a run, by account of the ledger."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.budget import ACCOUNTS
from benchmark.report.look import COLOURS, legend, subplots
from benchmark.report.table import Table


def where_time_went(table: Table) -> Figure:
    """Mean seconds of a run, by account of the ledger."""
    figure, axes = subplots(figsize=(7, 0.42 * len(table.rows) + 1.4))
    names = [r.label for r in table.rows]
    left = np.zeros(len(names))
    for k, account in enumerate(ACCOUNTS):
        seconds = [[r.run["ledger"][account] for r in row.stored] for row in table.rows]
        width = np.array([np.mean(each or [0.0]) for each in seconds])
        axes.barh(names, width, left=left, label=account, color=COLOURS[k], height=0.65)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("seconds a run (mean); a budget counts method + objective")
    legend(axes)
    return figure
