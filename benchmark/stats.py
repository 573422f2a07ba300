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


def _draws(cells: Sequence[Cell], rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices (RESAMPLES, N). Prompts are fixed and seeds drawn within each; where a prompt has but one seed that would
    show no spread, so the cells are drawn as a whole.
    """
    prompts = sorted({prompt for _, prompt in cells})
    groups = [np.array([i for i, c in enumerate(cells) if c[1] == p]) for p in prompts]
    if min(len(g) for g in groups) < 2:
        groups = [np.arange(len(cells))]
    return np.concatenate([g[rng.integers(0, len(g), (RESAMPLES, len(g)))] for g in groups], axis=1)


def estimate(values: Values) -> Estimate:
    """Percentile bootstrap of the mean, with a fixed seed. Raises ValueError without values."""
    if not values:
        raise ValueError("estimate: expected at least one value")
    cells = sorted(values)
    x = np.array([values[c] for c in cells])
    if len(x) < 2:
        return Estimate(float(x.mean()), np.nan, np.nan)
    means = x[_draws(cells, np.random.default_rng(0))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
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
