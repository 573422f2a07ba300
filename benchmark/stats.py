"""Means and 95 % bootstrap intervals over seeds x prompts, paired between methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Cell = tuple[int, str]
"""(seed, prompt)."""
Values = Mapping[Cell, float]
RESAMPLES = 4000


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; low and high are nan where fewer than two runs leave it unknown."""

    mean: float
    low: float
    high: float


def _groups(cells: Sequence[Cell]) -> list[NDArray[np.intp]]:
    """Indices of the cells that may stand for each other: the seeds of one prompt, since prompts are fixed; all of them
    where a prompt has but one seed, which would show no spread.
    """
    groups = [np.flatnonzero([c[1] == prompt for c in cells]) for prompt in sorted({c[1] for c in cells})]
    return groups if min(map(len, groups)) > 1 else [np.arange(len(cells))]


def estimate(values: Values, least: float = -np.inf, most: float = np.inf) -> Estimate:
    """Percentile bootstrap of the mean, with a fixed seed. Raises ValueError without values.

    A resample of n values has (n - 1)/n of their variance; deviations are widened by the root of the inverse.
    That can take the interval past the range of what was measured, so it is cut to [least, most].
    """
    if not values:
        raise ValueError("estimate: expected at least one value")
    cells = sorted(values)
    x = np.array([values[c] for c in cells])
    if len(x) < 2:
        return Estimate(float(x.mean()), np.nan, np.nan)
    rng = np.random.default_rng(0)
    totals = np.zeros(RESAMPLES)
    for group in _groups(cells):
        n, middle = len(group), x[group].mean()
        wide = middle + (x[group] - middle) * np.sqrt(n / (n - 1))
        totals += wide[rng.integers(0, n, (RESAMPLES, n))].sum(1)
    low, high = np.percentile(totals / len(x), [2.5, 97.5]).clip(least, most)
    return Estimate(float(x.mean()), float(low), float(high))


def distinguishable(one: Values, other: Values) -> bool:
    """Whether the mean difference over the cells that both have excludes 0 with its 95 % interval."""
    shared = {c: one[c] - other[c] for c in one if c in other}
    if len(shared) < 2:
        return False
    found = estimate(shared)
    return found.low > 0 or found.high < 0


def best(rows: Mapping[str, Values], lower_is_better: bool) -> set[str]:
    """The rows that cannot be told apart from the one with the best mean, itself included."""
    means = {name: float(np.mean(list(v.values()))) for name, v in rows.items() if v}
    if not means:
        return set()
    top = (min if lower_is_better else max)(means, key=lambda name: means[name])
    return {name for name in means if name == top or not distinguishable(rows[name], rows[top])}
