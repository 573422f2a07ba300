"""Derivatives from values alone, in the unit cube."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.space import Lam

Values = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""F at each of (V, d) points, (V,), in one call, so that all may share their random numbers and their batch."""


def coordinates(values: Values, lam: Lam, nu: float) -> Lam:
    """Central differences along the axes, (d,); one-sided where lam + nu or lam - nu would leave the cube."""
    steps = nu * np.eye(len(lam))
    points = np.clip(np.concatenate([lam + steps, lam - steps]), 0.0, 1.0)
    found = values(points)
    d = len(lam)
    return np.asarray((found[:d] - found[d:]) / (points[:d] - points[d:]).diagonal())


def directions(values: Values, lam: Lam, nu: float, among: NDArray[np.float64]) -> Lam:
    """Mean over directions v, (k, d), of the two-sided difference along v times v: unbiased for E[v v^T] = I.

    Source: Nesterov and Spokoiny 2017. Points are clipped to the cube.
    """
    points = np.clip(np.concatenate([lam + nu * among, lam - nu * among]), 0.0, 1.0)
    found = values(points)
    k = len(among)
    return np.asarray(((found[:k] - found[k:]) / (2 * nu)) @ among / k)
