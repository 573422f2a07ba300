"""What a user may choose of the schedule, and the space of its q."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.errors import UsageError
from benchmark.space import Float, Space
from tasks.noise_schedule.families import NORMALISED, axes, ends

SAMPLED = "sample_"
"""Before the axes of a sampling schedule of its own."""
_BOUNDS = {
    "tau": (0.01, 100.0),
    "eps": (0.0, 1.0),
    "mu": (-20.0, 20.0),
    "scale": (0.01, 100.0),
    "drop": (1e-3, 1e3),
    # of a log-SNR; abar is 1 or 0 to all digits beyond
    "start": (-30.0, 30.0),
    "end": (-30.0, 30.0),
}
_KNOTS = 8
"""The default of their number."""


@dataclass(frozen=True)
class Choices:
    """What a user may choose of the schedule, and the space that follows.

    kind: the family.  ranges: "low,high" by name of an axis, empty for the suite's own; `drop` is
    that of all drops.  knots: of `knots`.  tie: one schedule for training and sampling.
    """

    kind: str
    ranges: Mapping[str, str]
    knots: int = _KNOTS
    tie: bool = True

    @property
    def trained(self) -> tuple[str, ...]:
        """The axes of the training schedule, in the order of q."""
        return tuple(axis.name for axis in axes(self.kind, self.knots))

    @property
    def sampled(self) -> tuple[str, ...]:
        """The axes of the sampling schedule, in the order of q."""
        return self.trained if self.tie else tuple(SAMPLED + name for name in self.trained)

    def space(self) -> Space:
        """Raises UsageError for ranges that give no schedule."""
        if self.kind != "knots" and self.knots != _KNOTS:
            raise UsageError(
                f"option noise_schedule.knots: the {self.kind} schedule has none, got "
                f"{self.knots}; leave it out, or set noise_schedule.schedule=knots"
            )
        known = {_range_of(name) for name in self.trained}
        for name, text in self.ranges.items():
            if text and name not in known:
                raise UsageError(
                    f"option noise_schedule.{name}: the {self.kind} schedule has no {name}; leave "
                    "it out"
                )
        found = [
            _axis(axis, self.ranges.get(_range_of(axis.name), ""))
            for axis in axes(self.kind, self.knots)
        ]
        _check_ends(self.kind, {axis.name: axis for axis in found})
        _check_curves(self.kind, found)
        own = () if self.tie else (replace(axis, name=SAMPLED + axis.name) for axis in found)
        return Space((*found, *own))


def _range_of(name: str) -> str:
    """The option that is an axis's range."""
    return "drop" if name.startswith("drop") else name


def _check_ends(kind: str, found: Mapping[str, Float]) -> None:
    """Raise UsageError for ranges in which a schedule would run backwards, or beyond the cosine."""
    if "end" not in found:
        return
    start, end = found["start"], found["end"]
    # disjoint ranges, so that every point of the cube is a schedule that falls
    falls = start.low > end.high if kind == "knots" else start.high < end.low
    if not falls:
        side = "above" if kind == "knots" else "below"
        raise UsageError(
            f"option noise_schedule.start: expected all of it {side} noise_schedule.end, got start "
            f"in [{start.low:g}, {start.high:g}] and end in [{end.low:g}, {end.high:g}]; make the "
            "ranges disjoint"
        )
    if kind == "cosine" and not (start.low >= 0 and end.high <= 1):
        raise UsageError(
            f"option noise_schedule.end: the cosine schedule expects start and end in [0, 1], "
            f"got [{start.low:g}, {end.high:g}]"
        )


def _check_curves(kind: str, found: list[Float]) -> None:
    """Raise UsageError where a corner's curve is flat: abar divides by f(0) - f(1)."""
    if kind not in NORMALISED:
        return
    f = ends(kind, np.array(list(_corners(found))))
    if not (f[:, 0] - f[:, 1] > 1e-9).all():
        raise UsageError(
            f"option noise_schedule.tau: within the ranges of {', '.join(a.name for a in found)} "
            f"the {kind} schedule is flat to the last digit, so that it cannot be normalised; "
            "narrow them towards the suite's own"
        )


def _corners(found: list[Float]) -> Iterator[tuple[float, ...]]:
    return itertools.product(*((axis.low, axis.high) for axis in found))


def _axis(axis: Float, text: str) -> Float:
    """An axis with the range that a user gave. Raises UsageError."""
    if not text:
        return axis
    option = _range_of(axis.name)
    name = f"option noise_schedule.{option}"
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{name}: expected two numbers LOW,HIGH such as {axis.low:g},{axis.high:g}, got "
            f"{text!r}"
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"{name}: expected finite LOW < HIGH, got {text!r}")
    if (axis.log and low <= 0) or (axis.name == "eps" and low < 0):
        raise UsageError(
            f"{name}: expected LOW {'above' if axis.log else 'at least'} 0, got {text!r}"
        )
    if option in _BOUNDS and not (_BOUNDS[option][0] <= low and high <= _BOUNDS[option][1]):
        raise UsageError(f"{name}: expected a range within {list(_BOUNDS[option])}, got {text!r}")
    grid = tuple(v for v in axis.grid if low <= v <= high)
    default = min(max(axis.default, low), high)
    # one point is no grid; without one the method spreads its own over the range, which over all
    # drops would have no end
    one = (default,) if option == "drop" else ()
    return Float(axis.name, low, high, default, axis.log, grid if len(grid) > 1 else one)
