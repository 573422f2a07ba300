"""Derivatives from values alone, in the unit cube."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.space import Lam, sides

Values = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""F at each of (V, d) points, (V,), in one call: all share random numbers and a batch."""


def directions(values: Values, lam: Lam, nu: float, among: NDArray[np.float64]) -> Lam:
    """Mean over directions v, (k, d), of the central difference along v, times v; returns (d,).

    It is the gradient up to O(nu^2) where the mean of v v^T is 1 (Nesterov and Spokoiny 2017).
    """
    both = values(np.concatenate(sides(lam, nu * among)))
    k = len(among)
    return np.asarray(((both[:k] - both[k:]) / (2 * nu)) @ among / k)


def coordinates(
    values: Values, lam: Lam, nu: float, chosen: NDArray[np.bool_] | None = None
) -> Lam:
    """Central differences along the axes, (d,); nu < 0.5. chosen: (d,), the others are 0."""
    among = np.eye(len(lam)) if chosen is None else np.eye(len(lam))[chosen]
    return directions(values, lam, nu, among) * len(among)
