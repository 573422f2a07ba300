"""Pictures with a panel a method: lam as it changed during the search, and the curves that the final lam stands for."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from benchmark.budget import Unit
from benchmark.frame import standing
from benchmark.look import SPENT, finish, last, looks, spent, spent_axis, subplots, value_axis
from benchmark.table import Row, Table


def lam_over_time(table: Table, path: Path) -> Path | None:
    """Every run's incumbent lam as it changed. One axis: a panel a method, four in a line; more: a row of panels each."""
    names = list(dict.fromkeys(k for r in table.runs for p in r.proposals for k in p["lam"]))
    rows = [row for row in table.rows if any(run.proposals for run in row.stored)]
    if not names or not rows:
        return None
    alone = len(names) == 1
    wide = min(4, len(rows)) if alone else len(rows)
    deep = -(-len(rows) // wide) if alone else len(names)
    size = (2.6 * wide + 0.6, 2.3 * deep) if alone else (1.9 * wide + 0.6, 1.7 * deep)
    figure, grid = subplots(deep, wide, figsize=size, sharex=True, sharey="none" if alone else "row", squeeze=False)
    used = list(grid.flat)[: len(rows) * len(names)]
    for axes in list(grid.flat)[len(used) :]:
        axes.axis("off")
    first, end = min(spent(p, table.unit) for r in table.runs for p in r.proposals), last(table)
    for k, name in enumerate(names):
        every = [p["lam"][name] for r in table.runs for p in r.proposals if name in p["lam"]]
        for axes, row in zip(grid.flat if alone else grid[k], rows, strict=False):
            axes.add_collection(
                LineCollection(
                    _steps(row, name, table.unit, end), colors=[looks(table)[row.label]["color"]], alpha=0.55, lw=1.1
                )
            )
            spent_axis(axes, first / 1.2, end * 1.1, table.unit, 5 if alone else 3)
            value_axis(axes, min(every), max(every))
            if alone or k == 0:
                axes.set_title(fill(row.label, 20), fontsize=9)
            if alone or axes is grid[k][0]:
                axes.set_ylabel(name, fontsize=9)
    for axes in used[-wide:]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(SPENT[table.unit], fontsize=None if alone else 8)
    figure.align_ylabels()
    figure.tight_layout()
    return finish(figure, path)


def _steps(row: Row, name: str, unit: Unit, end: float) -> list[Any]:
    """One staircase a run, (2 x proposals, 2): what was spent, up to the end of the axis, and the value that stood."""
    found = []
    for stood in ([p for p in run.proposals if name in p["lam"]] for run in row.stored):
        if not stood:
            continue
        x = [*(spent(p, unit) for p in stood), end]
        y = [p["lam"][name] for p in stood]
        found.append(np.column_stack([np.repeat(x, 2)[1:-1], np.repeat(y, 2)]))
    return found


def curves(table: Table, path: Path) -> Path | None:
    """What each run's final lam stands for, beside the task's default: a row of panels a curve, a column a method."""
    found = {
        row.label: [c for r in row.stored if (c := (standing(r, table.at) or {}).get("curves"))] for row in table.rows
    }
    found = {label: runs for label, runs in found.items() if runs}
    names = list(dict.fromkeys(name for runs in found.values() for run in runs for name in run))
    if not names:
        return None
    size = (2.2 * len(found) + 0.6, 2.3 * len(names))
    figure, grid = subplots(len(names), len(found), figsize=size, sharex="row", sharey="row", squeeze=False)
    for i, name in enumerate(names):
        for axes, (label, runs) in zip(grid[i], found.items(), strict=True):
            drawn = [run[name] for run in runs if name in run]
            lines = [np.column_stack([x, y]) for x, y, _ in drawn]
            axes.add_collection(LineCollection(lines, colors=[looks(table)[label]["color"]], alpha=0.7, lw=1.0))
            for x, _, default in drawn[:1]:
                axes.plot(x, default, color="black", linestyle="--", lw=1.0, zorder=3)
            axes.autoscale_view()
            abscissa = re.search(r"\((\w+)\)$", name)
            axes.set_xlabel(abscissa[1] if abscissa else "", fontsize=9)
            if i == 0:
                axes.set_title(fill(label, 20), fontsize=9)
        grid[i][0].set_ylabel(name, fontsize=9)
    handle = Line2D([], [], color="black", linestyle="--", lw=1.0, label="the task's\ndefault")
    figure.align_ylabels()
    figure.tight_layout()
    figure.legend(handles=[handle], loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return finish(figure, path)
