"""Intervals of means on an axis, on which no outlier squeezes what matters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP
from numpy.typing import NDArray

from benchmark.report.look import FAR, logarithmic

Side = Literal["x", "y"]
Values = NDArray[np.float64]
# by axis: the mark at an interval's end, and those where it goes on below and above
_ENDS = {"x": ("|", CARETLEFT, CARETRIGHT), "y": ("_", CARETDOWN, CARETUP)}

_BELOW = 1.9


def show(axes: Axes, side: Side, estimates: Iterable[tuple[float, float, float]]) -> None:
    """Set up an axis for (mean, low, high), low and high NaN where there is no interval.

    All means are within, and of intervals what reaches beyond the means by no more than a quarter
    of their range, or twice the usual interval's longer half. Logarithmic where means are positive
    and far apart.
    """
    mean, low, high = np.array([e for e in estimates if np.isfinite(e[0])]).reshape(-1, 3).T
    if not len(mean):
        return
    bounded = np.isfinite(low) & np.isfinite(high)
    far = mean.min() > 0 and mean.max() > FAR * mean.min()
    # where most intervals reach 0, its logarithm would hide how wide they are
    if far and (not bounded.any() or (low[bounded] > 0).mean() > 0.5):
        least, most = np.exp(_ends(_log(mean), _log(low), _log(high)))
        logarithmic(axes, side, float(least), float(most))
    else:
        axes.set(**{f"{side}lim": _ends(mean, low, high)})


def _ends(mean: Values, low: Values, high: Values) -> tuple[float, float]:
    """What an axis shows, with a margin."""
    down, up = (np.where(np.isnan(v), 0.0, v) for v in (mean - low, high - mean))
    halves = np.fmax(down, up)[np.isfinite(low) | np.isfinite(high)]
    usual = np.median(halves) if len(halves) else 0.0
    reach = max(np.ptp(mean) / 4, 2 * usual)
    least = max(mean.min() - reach, (mean - down).min())
    most = min(mean.max() + reach, (mean + up).max())
    margin = 0.05 * (most - least or abs(most) or 1.0)
    return float(least - margin), float(most + margin)


def _log(values: Values) -> Values:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(values, 0.0))


def draw(
    axes: Axes, side: Side, at: Values, low: Values, high: Values, *, lw: float = 0.8, **look: Any
) -> bool:
    """Intervals along an axis that is set up; whether some go on beyond it, which carets say."""
    known = np.isfinite(low) & np.isfinite(high)
    at, low, high = (np.asarray(v)[known] for v in (at, low, high))
    least, most = axes.get_xlim() if side == "x" else axes.get_ylim()
    along = axes.hlines if side == "x" else axes.vlines
    # below the means of rows drawn before
    along(at, np.maximum(low, least), np.minimum(high, most), lw=lw, zorder=_BELOW, **look)
    cap, below, above = _ENDS[side]
    for end, cut, edge, caret in (
        (low, low < least, least, below),
        (high, high > most, most, above),
    ):
        _marks(axes, side, at[~cut], end[~cut], cap, look)
        _marks(axes, side, at[cut], np.full(cut.sum(), edge), caret, look)
    return bool(((low < least) | (high > most)).any())


def _marks(axes: Axes, side: Side, at: Values, end: Values, marker: Any, look: Any) -> None:
    if len(at):
        x, y = (end, at) if side == "x" else (at, end)
        axes.plot(x, y, linestyle="", marker=marker, ms=4, zorder=_BELOW, **look)


def explain(axes: Axes, side: Side) -> None:
    """A line of the legend for carets."""
    caret = _ENDS[side][2]
    axes.plot([], [], linestyle="", marker=caret, color="0.3", ms=5, label="interval goes on")
