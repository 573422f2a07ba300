"""The table and the picture of the shoot-out, from its rows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmark.device import environment
from benchmark.report.drawing import write_figure
from benchmark.report.hues import hue_of
from benchmark.report.look import subplots

_COLUMNS = {
    "cosine": "Cosine",
    "error": "Relative error",
    "training": "Cosine through y",
    "seconds": "Seconds",
    "evaluations": "Evaluations",
    "states": "States",
    "mib": "MiB",
}
_LEAST = 1e-4  # of the relative errors in the picture
_FAMILIES = ("bilevel", "t1t2", "neumann", "cg", "unrolled", "es", "f2sa")
_SHAPES = {"": "o", "zeroth_order": "s", "truncated": "^"}
_HEAD = """# Hypergradients against the truth

`python -m speed hypergradients` on {machine}, at a load average of {load:.1f}.

The truth is a central difference of F(lam, y(lam)) over full fits, on the same random numbers. Each
cell: median [least, greatest] over points and seeds. *Cosine through y*: of the estimate without
F_lam with the truth without F_lam, which is what lam is worth by what it does to y. *Evaluations*
and *seconds* hold the steps of y within the estimate's window; where no option is named it has its
default. *States*: most states alive at once. *MiB*: growth of the process's peak memory. *The next
wider difference* is no estimate: it says how far the truth itself is known.
"""


def _cell(values: pd.Series[float], digits: int = 3) -> str:
    known = values.dropna()
    if known.empty:
        return ""
    low, middle, high = (f"{v:.{digits}g}" for v in (known.min(), known.median(), known.max()))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _table(rows: pd.DataFrame) -> str:
    """Markdown, an estimate a line."""
    lines = [" | ".join(("Estimate", *_COLUMNS.values())), " | ".join(["---"] * 8)]
    for name, part in rows.groupby("estimate", sort=False):
        lines.append(" | ".join((str(name), *(_cell(part[c]) for c in _COLUMNS))))
    return "\n".join(f"| {line} |" for line in lines)


def write(folder: Path) -> None:
    """table.md and hypergradients.png beside hypergradients.csv."""
    rows = pd.read_csv(folder / "hypergradients.csv")
    about = environment()
    machine = f"{about['cpus']} cores of {about['cpu']}, Python {about['python']}"
    parts = [_HEAD.format(machine=machine, load=os.getloadavg()[2])]
    for task, part in rows.groupby("task", sort=False):
        seeds, points = part["seed"].nunique(), part["point"].nunique()
        parts.append(f"## {task} ({points} points, seeds: {seeds})\n\n{_table(part)}\n")
    (folder / "table.md").write_text("\n".join(parts), encoding="utf-8")
    draw(rows, folder / "hypergradients.png")


def draw(rows: pd.DataFrame, path: Path) -> None:
    """A column for each task: error and cosine over evaluations."""
    write_figure(lambda: _figure(rows), path)


def _look(name: str) -> dict[str, Any]:
    family, theta = name.split(maxsplit=1)[0], re.search(r"theta=(\w+)", name)
    return {
        "color": hue_of(family)[0],
        "marker": _SHAPES[theta.group(1) if theta else ""],
    }


def _points(axes: Any, rows: pd.DataFrame, column: str) -> None:
    """Median and range of one column over evaluations; the number is the window's option."""
    for name, part in rows.dropna(subset=["evaluations"]).groupby("estimate", sort=False):
        values, x = part[column].dropna(), part["evaluations"].median()
        if values.empty:
            continue
        values = values.clip(lower=_LEAST) if column == "error" else values
        axes.plot([x, x], [values.min(), values.max()], color=_look(str(name))["color"], alpha=0.4)
        axes.plot(x, values.median(), linestyle="", markersize=6, **_look(str(name)))
        number = re.search(r"\(\w+=(\d+)\)", str(name))
        if number and column == "error":
            offset = {"textcoords": "offset points", "xytext": (5, 3), "fontsize": 7}
            axes.annotate(number.group(1), (x, values.median()), **offset)


def _figure(rows: pd.DataFrame) -> Any:
    tasks = list(rows["task"].unique())
    figure, grid = subplots(2, len(tasks), figsize=(4 * len(tasks), 7.5), squeeze=False)
    for column, task in enumerate(tasks):
        part = rows[rows["task"] == task]
        errors, cosines = grid[:, column]
        _points(errors, part, "error")
        _points(cosines, part, "cosine")
        floor = part.loc[part["estimate"] == "the next wider difference", "error"].median()
        errors.axhline(max(floor, _LEAST), color="0.5", linestyle=":")
        errors.set(title=task, xscale="log", yscale="log", ylim=(_LEAST / 2, 30))
        cosines.set(xscale="log", xlabel="evaluations", ylim=(-1.05, 1.05))
        for axis in (errors.xaxis, errors.yaxis, cosines.xaxis):
            low, high = axis.get_view_interval()
            # less than two decades may hold a single power of ten
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    grid[0, 0].set_ylabel("relative error, 0.0001 or more (dotted: the truth's)")
    grid[1, 0].set_ylabel("cosine with the truth")
    handles = [Line2D([], [], linestyle="", label=name, **_look(name)) for name in _FAMILIES]
    handles += [
        Line2D([], [], linestyle="", color="0.3", marker=shape, label=f"theta={theta}")
        for theta, shape in _SHAPES.items()
        if theta
    ]
    figure.legend(handles=handles, loc="lower center", ncols=9, bbox_to_anchor=(0.5, -0.03))
    figure.suptitle(
        "Median and range over points and seeds; the number is the option in brackets", fontsize=10
    )
    figure.tight_layout()
    return figure
