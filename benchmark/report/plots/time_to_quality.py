"""How many runs had a given quality by when, and how much later than the fastest."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.look import SPENT, last, legend, looks, spent_axis, subplots
from benchmark.report.statistics.quality import Times, times
from benchmark.report.stats import Cell
from benchmark.report.table import Table


def time_to_quality(table: Table) -> Figure | None:
    """Left: the share of runs that had the quality by then. Right: a performance profile (Dolan
    and More 2002), the share whose time was at most so many times that of the fastest row.
    """
    found = times(table)
    reached = found is not None and any(
        np.isfinite([*v.values()]).any() for v in found.rows.values()
    )
    if found is None or not reached or len(found.rows) < 2:
        return None
    figure, (left, right) = subplots(1, 2, figsize=(9.5, 3.8), sharey=True)
    fastest = _fastest(found)
    end, ratios = last(table), [1.0]
    firsts = [min(own.values()) for own in found.rows.values()]
    first = min(t for t in firsts if np.isfinite(t))
    for label, own in found.rows.items():
        look = {**looks(table)[label], "ms": 4}
        _steps(left, list(own.values()), first / 2, end * 2, look, label)
        later = [own[c] / fastest[c] for c in own if np.isfinite(fastest.get(c, np.inf))]
        ratios += [r for r in later if np.isfinite(r)]
        _steps(right, later, 1.0, 1e9, look, label)
    spent_axis(left, first / 1.2, end * 1.1, table.unit)
    left.set(xlabel=f"{SPENT[table.unit]} of search", ylabel="share of runs that had it")
    left.set_ylim(-0.03, 1.03)
    spent_axis(right, 1 / 1.05, max(2.2, *ratios) * 1.2, "nfe")
    right.set_xlabel("times the fastest row's, at the same seed and prompt")
    figure.suptitle(fill(f"{table.title}: until {found.what}", 80), fontsize=10)
    legend(right)
    return figure


def _fastest(found: Times) -> dict[Cell, float]:
    cells = {c for own in found.rows.values() for c in own}
    return {c: min(own.get(c, np.inf) for own in found.rows.values()) for c in cells}


def _steps(
    axes: Axes, values: list[float], low: float, high: float, look: dict[str, Any], label: str
) -> None:
    """The share of all values that are at most x, from low to high."""
    done = sorted(v for v in values if np.isfinite(v))
    x = [low, *done, high]
    y = [*np.arange(len(done) + 1) / len(values), len(done) / len(values)]
    axes.plot(x, y, drawstyle="steps-post", label=label, lw=1.4, **look)
