"""Seconds of a run, by account of the ledger."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.budget import ACCOUNTS
from benchmark.report.hues import PALETTE
from benchmark.report.look import legend, subplots
from benchmark.report.table import Table

# each account with what it holds, in its own words
_SAID = {
    "setup": "set-up: imports, data, networks",
    "warmup": "warm-up: first calls",
    "method": "method: its own computing",
    "objective": "objective: the task's answers",
    "report": "report: measurement on held-out seeds",
    "io": "io: writing what is stored",
    "paused": "paused: stopped, asleep, or done again",
}
_SEEN = 0.003
"""Share of the longest bar that can be seen."""


def where_time_went(table: Table) -> Figure:
    """Mean seconds of a run, by account of the ledger, without accounts too small to be seen."""
    figure, axes = subplots(figsize=(7, 0.42 * len(table.rows) + 1.4))
    names = [r.label for r in table.rows]
    left = np.zeros(len(names))
    widths = np.array(
        [
            [np.mean([r.run["ledger"][a] for r in row.stored] or [0.0]) for row in table.rows]
            for a in ACCOUNTS
        ]
    )
    least = _SEEN * widths.sum(0).max(initial=0.0)
    for account, colour, width in zip(ACCOUNTS, PALETTE, widths, strict=False):
        if width.max(initial=0.0) > least:
            axes.barh(names, width, left=left, label=_SAID[account], color=colour, height=0.65)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("seconds a run (mean); a budget counts method + objective")
    legend(axes)
    return figure
