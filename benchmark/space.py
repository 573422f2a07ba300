"""The search space: named axes in native units, and the unit cube in which every method works."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.names import is_name

Lam = NDArray[np.float64]
"""A point of the unit cube, (d,)."""
_NOT_TEXT = {"inf", "infinity", "nan", "true", "false"}
"""A table that is read again would take them for numbers or truth values."""
_LARGEST = 10**12
"""Of an Integer: beyond it a cell on the logarithm has too few doubles to be told from the next."""


@dataclass(frozen=True)
class Float:
    """A real axis from low to high, in equal steps of the value or (log) of its logarithm.

    default: what a user who does not tune would take. grid: the values that grid search tries.
    """

    name: str
    low: float
    high: float
    default: float
    log: bool = False
    grid: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"axis {self.name}: expected {'0 < ' if self.log else ''}low < high, got "
                f"[{self.low}, {self.high}]"
            )
        for value in (self.default, *self.grid):
            if not self.low <= value <= self.high:
                raise ValueError(
                    f"axis {self.name}: {value} lies outside [{self.low}, {self.high}]"
                )

    def native(self, u: float) -> float:
        """The value at u in [0, 1]."""
        if self.log:
            # the power may round past an end, which the task would refuse
            return float(min(self.high, max(self.low, self.low * (self.high / self.low) ** u)))
        return self.low + (self.high - self.low) * u

    def unit(self, value: float) -> float:
        """The inverse of `native`."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def slope(self, u: float) -> float:
        """d native / d u at u."""
        return self.native(u) * math.log(self.high / self.low) if self.log else self.high - self.low


@dataclass(frozen=True)
class Integer:
    """A whole-number axis from low to high, both included; `slope` is the unrounded value's.

    Each value has a cell of [0, 1], all of one width or (log) as wide as from value - 0.5 to
    value + 0.5 on the logarithm, so that small values have more of it. log: low is 1 or more.
    """

    name: str
    low: int
    high: int
    default: int
    grid: tuple[int, ...] = ()
    log: bool = False

    def __post_init__(self) -> None:
        least = 1 if self.log else -_LARGEST
        if not least <= self.low < self.high <= _LARGEST:
            raise ValueError(
                f"axis {self.name}: expected {least:g} <= low < high <= {_LARGEST:g}, got "
                f"[{self.low}, {self.high}]"
            )
        for value in (self.low, self.high, self.default, *self.grid):
            # nor is a NaN or an infinity
            if value % 1 != 0:
                raise ValueError(f"axis {self.name}: expected a whole number, got {value}")
            if not self.low <= value <= self.high:
                raise ValueError(
                    f"axis {self.name}: {value} lies outside [{self.low}, {self.high}]"
                )

    def native(self, u: float) -> int:
        """The value whose cell u in [0, 1] lies in."""
        if self.log:
            value = math.floor((self.low - 0.5) * math.exp(u * self._span) + 0.5)
        else:
            value = self.low + math.floor(u * (self.high - self.low + 1))
        # u = 1 belongs to the last cell, and a power may round past an end
        return int(min(self.high, max(self.low, value)))

    def unit(self, value: float) -> float:
        """The middle of the cell that `native` maps to the value."""
        if self.log:
            return (self._edge(value - 0.5) + self._edge(value + 0.5)) / 2
        return (value - self.low + 0.5) / (self.high - self.low + 1)

    def slope(self, u: float) -> float:
        """d native / d u at u, without the rounding."""
        if self.log:
            return (self.low - 0.5) * math.exp(u * self._span) * self._span
        return float(self.high - self.low + 1)

    def width(self, u: float) -> float:
        """Of the cell that u lies in, (0, 1)."""
        if self.log:
            value = self.native(u)
            return self._edge(value + 0.5) - self._edge(value - 0.5)
        return 1 / (self.high - self.low + 1)

    @property
    def _span(self) -> float:
        return math.log((self.high + 0.5) / (self.low - 0.5))

    def _edge(self, value: float) -> float:
        """Where on a logarithmic axis the unrounded value lies, [0, 1]."""
        return math.log(value / (self.low - 0.5)) / self._span


@dataclass(frozen=True)
class Choice:
    """An axis of texts without an order, such as solvers; each has an equal cell of [0, 1].

    There is no derivative along it: its `slope` is 0, so that a method which follows gradients
    keeps the default's text. Methods that search the cube try all. A text is a name: a letter, then
    at most 99 letters, digits, _, . and -.
    """

    name: str
    values: tuple[str, ...]
    default: str
    grid: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise ValueError(
                f"axis {self.name}: expected two texts or more, each once, got {self.values}"
            )
        for value in self.values:
            if not is_name(value) or value.lower() in _NOT_TEXT:
                raise ValueError(
                    f"axis {self.name}: expected a name such as cosine, got {value!r}; rename it"
                )
        for value in (self.default, *self.grid):
            self.unit(value)

    def native(self, u: float) -> str:
        """The text whose cell u in [0, 1] lies in."""
        return self.values[min(len(self.values) - 1, math.floor(u * len(self.values)))]

    def unit(self, value: str) -> float:
        """The middle of its cell. Raises ValueError for a text that is none of the values."""
        if value not in self.values:
            raise ValueError(f"axis {self.name}: {value!r} is not one of {', '.join(self.values)}")
        return (self.values.index(value) + 0.5) / len(self.values)

    def slope(self, u: float) -> float:
        return 0.0


Axis = Float | Integer | Choice
Native = int | float | str
"""A value of an axis: an int of an Integer, a float of a Float, a text of a Choice."""


def _unit(axis: Axis, value: Native) -> float:
    if isinstance(axis, Choice):
        return axis.unit(str(value))
    if isinstance(value, str):
        raise ValueError(f"axis {axis.name}: expected a number, got {value!r}")
    return axis.unit(value)


def _grid(axis: Axis, per_axis: int) -> list[float]:
    if isinstance(axis, Choice):
        return [axis.unit(v) for v in axis.grid or axis.values]
    return [axis.unit(v) for v in axis.grid] or [float(u) for u in np.linspace(0, 1, per_axis)]


def sides(lam: Lam, move: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """c + move and c - move for a central difference; lam (d,), move and both sides (..., d).

    c is the point nearest to lam from which both lie in the unit cube: cut at a face instead, a
    difference across it would count half. A move of more than 0.5 is cut to 0.5.
    """
    size = np.minimum(np.abs(move), 0.5)
    centre = np.clip(lam, size, 1 - size)
    return np.clip(centre + move, 0.0, 1.0), np.clip(centre - move, 0.0, 1.0)


@dataclass(frozen=True)
class Space:
    """The product of some axes. Every method sees the cube [0, 1]^dim, every task native values."""

    axes: tuple[Axis, ...]

    @property
    def dim(self) -> int:
        return len(self.axes)

    @property
    def ordered(self) -> Lam:
        """1 for each axis along which there are differences, 0 for a Choice, (d,)."""
        return np.array([0.0 if isinstance(axis, Choice) else 1.0 for axis in self.axes])

    def widths(self, lam: Lam) -> Lam:
        """How far one must go at least to see a change along each axis, (d,): the cell of an
        Integer, 0 for the others.
        """
        return np.array(
            [
                a.width(float(u)) if isinstance(a, Integer) else 0.0
                for a, u in zip(self.axes, lam, strict=True)
            ]
        )

    def native(self, lam: Lam) -> dict[str, Native]:
        """Native values by name: an int of an Integer, a float of a Float, a text of a Choice.

        Raises ValueError outside the cube.
        """
        if lam.shape != (self.dim,) or not bool(np.all((lam >= 0) & (lam <= 1))):
            raise ValueError(f"lam: expected {self.dim} numbers in [0, 1], got {lam}")
        return {a.name: a.native(float(u)) for a, u in zip(self.axes, lam, strict=True)}

    def numbers(self, lam: Lam) -> dict[str, float]:
        """The native values of the Float and Integer axes, by name."""
        return {name: v for name, v in self.native(lam).items() if not isinstance(v, str)}

    def texts(self, lam: Lam) -> dict[str, str]:
        """The native values of the Choice axes, by name."""
        return {name: v for name, v in self.native(lam).items() if isinstance(v, str)}

    def point(self, values: Mapping[str, Native]) -> Lam:
        """The cube's point at native values."""
        return np.array([_unit(a, values[a.name]) for a in self.axes])

    def pullback(self, lam: Lam, gradient: Mapping[str, float]) -> Lam:
        """Chain rule: from derivatives by native values to those by lam, (d,).

        0 along a Choice, which the gradient need not name.
        """
        return np.array(
            [
                0.0 if isinstance(a, Choice) else gradient[a.name] * a.slope(float(u))
                for a, u in zip(self.axes, lam, strict=True)
            ]
        )

    def default(self) -> Lam:
        """The point of a user who does not tune."""
        return np.array([_unit(a, a.default) for a in self.axes])

    def grid(self, per_axis: int = 5) -> list[Lam]:
        """The product of the axes' own grids.

        An axis without one gets per_axis values, ends included; a Choice without one all values.
        """
        columns = [_grid(a, per_axis) for a in self.axes]
        return [np.array(p) for p in itertools.product(*columns)]


_KINDS: dict[type[Any], str] = {Float: "float", Integer: "integer", Choice: "choice"}


def as_json(space: Space) -> list[dict[str, Any]]:
    """Each axis with all that it is made of, so that a reader need not open the task again."""
    return [{"kind": _KINDS[type(axis)], **vars(axis)} for axis in space.axes]


def from_json(axes: Iterable[Mapping[str, Any]]) -> Space:
    """The inverse, of what passed the schema. Raises ValueError."""
    return Space(tuple(map(_axis, axes)))


def _axis(found: Mapping[str, Any]) -> Axis:
    name, default, grid = found["name"], found["default"], tuple(found["grid"])
    if found["kind"] == "choice":
        return Choice(name, tuple(found["values"]), str(default), tuple(map(str, grid)))
    low, high, log = found["low"], found["high"], found.get("log", False)
    if found["kind"] == "float":
        return Float(name, low, high, float(default), log, tuple(map(float, grid)))
    whole = (int(low), int(high), int(default))
    return Integer(name, *whole, tuple(map(int, grid)), log)
