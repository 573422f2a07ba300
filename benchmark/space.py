"""The search space: named axes in native units, and the unit cube in which every method works."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Lam = NDArray[np.float64]
"""A point of the unit cube, (d,)."""


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
                f"axis {self.name}: expected {'0 < ' if self.log else ''}low < high, got [{self.low}, {self.high}]"
            )
        for value in (self.default, *self.grid):
            if not self.low <= value <= self.high:
                raise ValueError(f"axis {self.name}: {value} lies outside [{self.low}, {self.high}]")

    def native(self, u: float) -> float:
        """The value at u in [0, 1]."""
        if self.log:
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
    """A whole-number axis from low to high, both included; `slope` is that of the unrounded value."""

    name: str
    low: int
    high: int
    default: int
    grid: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"axis {self.name}: expected low < high, got [{self.low}, {self.high}]")
        for value in (self.default, *self.grid):
            if not self.low <= value <= self.high:
                raise ValueError(f"axis {self.name}: {value} lies outside [{self.low}, {self.high}]")

    def native(self, u: float) -> float:
        return float(min(self.high, self.low + math.floor(u * (self.high - self.low + 1))))

    def unit(self, value: float) -> float:
        """The middle of the cell that `native` maps to the value."""
        return (value - self.low + 0.5) / (self.high - self.low + 1)

    def slope(self, u: float) -> float:
        return float(self.high - self.low + 1)


Axis = Float | Integer


@dataclass(frozen=True)
class Space:
    """The product of some axes. Every method sees the cube [0, 1]^dim; every task sees native values."""

    axes: tuple[Axis, ...]

    @property
    def dim(self) -> int:
        return len(self.axes)

    def native(self, lam: Lam) -> dict[str, float]:
        """Native values by name. Raises ValueError outside the cube."""
        if lam.shape != (self.dim,) or not bool(np.all((lam >= 0) & (lam <= 1))):
            raise ValueError(f"lam: expected {self.dim} numbers in [0, 1], got {lam}")
        return {a.name: a.native(float(u)) for a, u in zip(self.axes, lam, strict=True)}

    def point(self, values: Mapping[str, float]) -> Lam:
        """The cube's point at native values."""
        return np.array([a.unit(values[a.name]) for a in self.axes])

    def pullback(self, lam: Lam, gradient: Mapping[str, float]) -> Lam:
        """Chain rule: from a derivative by native value to the derivative by lam, (d,)."""
        return np.array([gradient[a.name] * a.slope(float(u)) for a, u in zip(self.axes, lam, strict=True)])

    def default(self) -> Lam:
        """The point of a user who does not tune."""
        return np.array([a.unit(a.default) for a in self.axes])

    def grid(self, per_axis: int = 5) -> list[Lam]:
        """The product of the axes' own grids; an axis without one gets per_axis values, ends included."""
        columns = [[a.unit(v) for v in a.grid] if a.grid else list(np.linspace(0, 1, per_axis)) for a in self.axes]
        return [np.array(p) for p in itertools.product(*columns)]
