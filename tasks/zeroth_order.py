"""Derivatives from values alone, in the unit cube."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.space import Lam

Values = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""F at each of (V, d) points, (V,), in one call, so that all may share their random numbers and their batch."""


def directions(values: Values, lam: Lam, nu: float, among: NDArray[np.float64]) -> Lam:
    """Mean over directions v, (k, d), of the central difference along v times v; of the gradient up to O(nu^2) where the
    mean of v v^T is 1 (Nesterov and Spokoiny 2017).

    Near a face of the cube the difference is taken at the nearest point from which both sides lie inside; nu |v| stays
    below 0.5.
    """
    steps = nu * among
    centres = np.clip(lam, np.minimum(np.abs(steps), 0.5), np.maximum(1 - np.abs(steps), 0.5))
    found = values(np.clip(np.concatenate([centres + steps, centres - steps]), 0.0, 1.0))
    k = len(among)
    return np.asarray(((found[:k] - found[k:]) / (2 * nu)) @ among / k)


def coordinates(values: Values, lam: Lam, nu: float) -> Lam:
    """Central differences along the axes, (d,); nu < 0.5."""
    return directions(values, lam, nu, np.eye(len(lam))) * len(lam)
