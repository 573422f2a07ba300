"""What the report's pictures share: style, a look for each method, the axis of what was spent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from PIL import Image

from benchmark.budget import Unit
from benchmark.report.hues import PALETTE, hue_of, next_hue
from benchmark.report.metrics import metric_of
from benchmark.report.rows import Row
from benchmark.report.spending import whole
from benchmark.report.table import Table
from benchmark.store.files import write_atomic

# of a stored picture at most: a file from elsewhere may unpack to any size
_PIXELS = 2**26
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "text.parse_math": False,
}
_LINES = ("-", "--", ":", "-.")
APART = 1.018
"""Ratio of neighbours on a logarithmic axis at most, so that their intervals can be told."""
SPREAD = 1.06
"""Ratio of the outermost of them to where they stand at most, however many they are."""
ROOM = 1.15
"""Ratio of an axis's end to the last place: for the outermost, and the width of its mark."""
FAR = 20
"""Ratio of positive values beyond which their axis is logarithmic."""
SPENT: dict[Unit, str] = {"s": "seconds", "nfe": "network evaluations"}
_CLOCK = (0.001, 0.01, 0.1, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 36000)
_COUNTS = tuple(m * 10**k for k in range(12) for m in (1, 2, 5))


def looks(table: Table) -> dict[str, dict[str, Any]]:
    """By row, a method's own colour and marker, and another line for each of its further rows.

    A method with more rows than there are lines has a colour for each row, its own first.
    """
    found: dict[str, dict[str, Any]] = {}
    for method in {r.method for r in table.rows}:
        colour, marker = hue_of(method)
        rows = sorted((r for r in table.rows if r.method == method), key=_place)
        for k, row in enumerate(rows):
            few = len(rows) <= len(_LINES)
            own = colour if few else next_hue(colour, k)
            found[row.label] = {
                "color": own,
                "linestyle": _LINES[(k if few else k // len(PALETTE)) % len(_LINES)],
                "marker": marker,
                "markerfacecolor": "white" if k else own,
            }
    return found


def _place(row: Row) -> tuple[str, str]:
    """The row without options of its own is first."""
    return row.variant, row.lower


def apart(k: int, rows: int) -> float:
    """What to multiply the places of row k of so many with, on a logarithmic axis."""
    ratio = min(APART, SPREAD ** (2 / max(1, rows - 1)))
    return float(ratio ** (k - (rows - 1) / 2))


def banded(rows: int, most: int) -> tuple[int, int]:
    """Into how many bands so many columns go, at most `most` in each, and the width of a band."""
    bands = -(-rows // most)
    return bands, -(-rows // bands)


def subplots(
    rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options: Any
) -> tuple[Figure, Any]:
    """A figure of no backend, and its axes."""
    # pyplot would use the caller's backend, which may be a window or not be there
    figure = Figure(figsize=figsize)
    return figure, figure.subplots(rows, columns, **options)


def finish(figure: Any, path: Path) -> Path:
    """Write it as PNG, as a whole or not at all, and never through a link. Raises OSError."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    write_atomic(path, drawn.getvalue())
    return path


def picture(path: Path) -> Any:
    """The pixels of a stored picture; None where there is none of a sane size."""
    # opening a pipe would wait for its writer
    if not path.is_file():
        return None
    try:
        with Image.open(path) as found:
            if found.width * found.height > _PIXELS:
                return None
            return np.asarray(found.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def label(table: Table, metric: str) -> str:
    """The metric's label on an axis."""
    return table.heading(metric) + (", lower is better" if metric_of(metric).lower else "")


def legend(axes: Axes, **entries: Any) -> None:
    """To the right of the axes, where it covers nothing. entries: handles and labels, if others."""
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), **entries)


def last(table: Table) -> float:
    """Where the longest search ended."""
    # at least twice the least of `spent`, so that the axis has a length
    least = 2.0 if table.unit == "nfe" else 2e-3
    return max([least, *(whole(r, table.unit) for r in table.runs if r.done)])


def spent_axis(axes: Axes, low: float, high: float, unit: Unit, most: int = 5) -> None:
    """A logarithmic axis from low to high, with at most so many ticks, as on clocks."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    every = _COUNTS if unit == "nfe" else _CLOCK
    decades = tuple(10.0**k for k in range(-3, 12))
    inside = [[t for t in ticks if low <= t <= high] for ticks in (every, decades)]
    ticks = next((t for t in inside if 1 < len(t) <= most), None)
    if ticks is None and len(inside[0]) > most:
        ticks = inside[0][:: -(-len(inside[0]) // most)]
    # a short part of a decade has no two of the usual ones
    elif ticks is None:
        ticks = [t for t in MaxNLocator(most - 1).tick_values(low, high) if low <= t <= high]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if unit == "nfe" else "{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def value_axis(axes: Axes, low: float, high: float) -> None:
    """A vertical axis for values of lam, logarithmic where they are positive and far apart."""
    if low > 0 and high / low > FAR:
        logarithmic(axes, "y", low / 1.3, high * 1.3)
    else:
        margin = 0.05 * (high - low or abs(high) or 1.0)
        axes.set_ylim(low - margin, high + margin)


def logarithmic(axes: Axes, side: str, low: float, high: float) -> None:
    """A logarithmic axis of plain numbers."""
    axes.set(**{f"{side}scale": "log"})
    axis = axes.xaxis if side == "x" else axes.yaxis
    # less than two decades may hold a single power of ten
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    # the default writes powers in mathematics, which the style leaves raw
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
    axes.set(**{f"{side}lim": (low, high)})


def category_axis(axes: Axes, texts: Sequence[str]) -> None:
    """A vertical axis for values that are texts, evenly spaced from below."""
    axes.set_yticks(range(len(texts)), texts)
    axes.set_ylim(-0.5, len(texts) - 0.5)
