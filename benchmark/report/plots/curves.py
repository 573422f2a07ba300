"""The curves that the final lam stands for."""

from __future__ import annotations

import re
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.frame import standing
from benchmark.report.look import banded, looks, subplots
from benchmark.report.table import Table

_MOST = 8  # columns, as many as a page has room for


def curves(table: Table) -> Figure | None:
    """What each run's final lam stands for, beside the task's default.

    A row of panels for each curve, a column for each method; what is wider than a page goes on
    below.
    """
    found = _of_rows(table)
    names = list(dict.fromkeys(name for runs in found.values() for run in runs for name in run))
    if not names:
        return None
    deep, (bands, wide) = len(names), banded(len(found), _MOST)
    size = (2.2 * wide + 0.6, 2.3 * deep * bands)
    # all panels of a curve have one scale, in whichever band they are
    figure, grid = subplots(deep * bands, wide, figsize=size, squeeze=False)
    for k, (label, runs) in enumerate(found.items()):
        band, column = divmod(k, wide)
        for i, name in enumerate(names):
            axes = grid[deep * band + i][column]
            axes.sharey(grid[i][0])
            _panel(axes, name, [run[name] for run in runs if name in run], looks(table)[label])
            if i == 0:
                axes.set_title(fill(label, 20), fontsize=9)
            if column == 0:
                axes.set_ylabel(name, fontsize=9)
            else:
                axes.tick_params(labelleft=False)
    for axes in grid.flat:
        if not axes.has_data():
            axes.remove()
    handle = Line2D([], [], color="black", linestyle="--", lw=1.0, label="the task's\ndefault")
    figure.align_ylabels()
    figure.tight_layout()
    figure.legend(handles=[handle], loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return figure


def _of_rows(table: Table) -> dict[str, list[dict[str, Any]]]:
    """By row, the curves of each of its runs that has some."""
    found = {
        row.label: [c for r in row.stored if (c := (standing(r, table.at) or {}).get("curves"))]
        for row in table.rows
    }
    return {label: runs for label, runs in found.items() if runs}


def _panel(axes: Any, name: str, runs: list[Any], look: dict[str, Any]) -> None:
    """One curve of every run of a row; each is (3, M): abscissa, its values, the default's."""
    lines = [np.column_stack([x, y]) for x, y, _ in runs]
    axes.add_collection(LineCollection(lines, colors=[look["color"]], alpha=0.7, lw=1.0))
    for x, _, default in runs[:1]:
        axes.plot(x, default, color="black", linestyle="--", lw=1.0, zorder=3)
    axes.autoscale_view()
    # a curve's name ends with its abscissa in brackets, such as "abar(t)"
    abscissa = re.search(r"\((\w+)\)$", name)
    axes.set_xlabel(abscissa[1] if abscissa else "", fontsize=9)
