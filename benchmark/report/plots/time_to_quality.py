"""How many runs had a given quality by when, and how much later than the fastest."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.look import ROOM, SPENT, last, legend, looks, spent_axis, subplots
from benchmark.report.statistics.quality import Times, times
from benchmark.report.stats import Cell
from benchmark.report.table import Table


def time_to_quality(table: Table) -> Figure | None:
    """The share of runs that had the quality by then; right, within so many times the fastest.

    Right is a performance profile (Dolan and More 2002): a row's time divided by that of the
    fastest row at the same seed and prompt.
    """
    found = times(table)
    reached = found is not None and any(
        np.isfinite([*v.values()]).any() for v in found.rows.values()
    )
    if found is None or not reached or len(found.rows) < 2:
        return None
    figure, (left, right) = subplots(1, 2, figsize=(9.5, 3.8), sharey=True)
    fastest = _fastest(found)
    later = {
        label: [own[c] / fastest[c] for c in own if np.isfinite(fastest.get(c, np.inf))]
        for label, own in found.rows.items()
    }
    times_of = {label: list(own.values()) for label, own in found.rows.items()}
    first, _ = _range(times_of)
    spent_axis(left, first / 1.2, last(table) * ROOM, table.unit)
    spent_axis(right, 1 / 1.05, max(2.2, _range(later)[1]) * 1.2, "nfe")
    for label in found.rows:
        look = {**looks(table)[label], "ms": 4}
        _steps(left, times_of[label], look, label)
        _steps(right, later[label], look, label)
    left.set(xlabel=f"{SPENT[table.unit]} of search", ylabel="share of runs that had it")
    left.set_ylim(-0.03, 1.03)
    right.set_xlabel("times the fastest row's, at the same seed and prompt")
    figure.suptitle(fill(f"{table.title}: until {found.what}", 80), fontsize=10)
    legend(right)
    return figure


def _fastest(found: Times) -> dict[Cell, float]:
    cells = {c for own in found.rows.values() for c in own}
    return {c: min(own.get(c, np.inf) for own in found.rows.values()) for c in cells}


def _range(values: dict[str, list[float]]) -> tuple[float, float]:
    """The least and the greatest of the finite ones."""
    finite = [v for own in values.values() for v in own if np.isfinite(v)]
    return min(finite), max(finite)


def _steps(axes: Axes, values: list[float], look: dict[str, Any], label: str) -> None:
    """The share of all values that are at most x, from end to end of the axis."""
    done = sorted(v for v in values if np.isfinite(v))
    low, high = axes.get_xlim()
    x = [low, *done, high]
    y = [*np.arange(len(done) + 1) / len(values), len(done) / len(values)]
    # a mark for each value
    marks = list(range(1, len(done) + 1))
    axes.plot(x, y, drawstyle="steps-post", label=label, lw=1.4, markevery=marks, **look)
