"""The incumbent lam as it changed during the search."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from benchmark.budget import Unit
from benchmark.report.look import (
    ROOM,
    SPENT,
    banded,
    category_axis,
    last,
    looks,
    spent_axis,
    subplots,
    value_axis,
)
from benchmark.report.rows import Row
from benchmark.report.spending import spent
from benchmark.report.table import Table

# ratio of the ends of a line that can be seen on the logarithmic axis
_SEEN = 1.02
# panels side by side and ticks, of one axis of lam and of several
_MOST = 4, 8
_TICKS = 5, 3


def lam_over_time(table: Table) -> Figure | None:
    """Every run's incumbent lam as it changed, within the range that was searched.

    A row of panels for each axis of lam, a column for each method; what is wider than a page goes
    on below.
    """
    proposals = [p for r in table.runs for p in r.proposals]
    names = list(dict.fromkeys(k for p in proposals for k in p["lam"]))
    rows = [row for row in table.rows if any(run.proposals for run in row.stored)]
    if not names or not rows:
        return None
    figure, grid, places = _panels(len(names), len(rows))
    first, end = min(spent(p, table.unit) for p in proposals), last(table)
    for k, name in enumerate(names):
        every = [p["lam"][name] for p in proposals if name in p["lam"]]
        every += _searched(table, name)
        for row, (band, column) in zip(rows, places, strict=True):
            axes = grid[band * len(names) + k][column]
            spent_axis(axes, first / ROOM, end * ROOM, table.unit, _TICKS[len(names) > 1])
            height = _heights(axes, every)
            lines = _steps(row, name, height, table.unit, end)
            colour = looks(table)[row.label]["color"]
            axes.add_collection(LineCollection(lines, colors=[colour], alpha=0.55, lw=1.1))
            # the line of a proposal at the very end is too short to be seen
            for line in (s for s in lines if s[-1][0] < _SEEN * s[0][0]):
                axes.plot(*line[-1], "o", color=colour, ms=3)
            if k == 0:
                axes.set_title(fill(row.label, 20), fontsize=9)
            if column == 0:
                axes.set_ylabel(name, fontsize=9)
            if k == len(names) - 1:
                axes.tick_params(labelbottom=True)
                axes.set_xlabel(SPENT[table.unit], fontsize=8)
    figure.align_ylabels()
    # unlike a tight layout it leaves room between bands alone
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    # each drawing would move it a little
    figure.set_layout_engine("none")
    return figure


def _panels(names: int, rows: int) -> tuple[Figure, Any, list[tuple[int, int]]]:
    """A figure, its grid of axes, and the band and the column of each row.

    Of a band that is not full the last panels are empty.
    """
    alone = names == 1
    bands, wide = banded(rows, _MOST[not alone])
    size = (2.6 * wide + 0.6, 2.3 * bands) if alone else (1.9 * wide + 0.6, 1.7 * names * bands)
    figure, grid = subplots(
        names * bands, wide, figsize=size, sharex=True, sharey="row", squeeze=False
    )
    places = [divmod(k, wide) for k in range(rows)]
    for axes in grid[(bands - 1) * names :, places[-1][1] + 1 :].flat:
        axes.axis("off")
    return figure, grid, places


def _searched(table: Table, name: str) -> list[float | str]:
    """The ends of an axis, or its texts; none of early runs, which did not store their space."""
    axes = [a for r in table.runs for a in r.run.get("space", ()) if a["name"] == name]
    return [v for a in axes for v in a.get("values") or (a["low"], a["high"])]


def _heights(axes: Any, every: Sequence[float | str]) -> dict[str, int]:
    """Set up the vertical axis; where values are texts, at which height each stands."""
    texts = sorted({v for v in every if isinstance(v, str)})
    if texts:
        category_axis(axes, texts)
    else:
        numbers = [float(v) for v in every]
        value_axis(axes, min(numbers), max(numbers))
    return {text: k for k, text in enumerate(texts)}


def _steps(row: Row, name: str, height: dict[str, int], unit: Unit, end: float) -> list[Any]:
    """One staircase a run, (2 x proposals, 2): what was spent, and the incumbent's value."""
    stairs = []
    for stood in ([p for p in run.proposals if name in p["lam"]] for run in row.stored):
        if not stood:
            continue
        # to the end of the axis: a method that ended keeps its answer
        x = [*(spent(p, unit) for p in stood), end]
        y = [height.get(value, value) for value in (p["lam"][name] for p in stood)]
        stairs.append(np.column_stack([np.repeat(x, 2)[1:-1], np.repeat(y, 2)]))
    return stairs
