"""Means with 95 % intervals, and which rows may be the best.

By Student's t over seeds within prompts, paired between rows. Prompts are fixed and weigh the same,
seeds are resampled: an interval is about other seeds of these prompts, not about other prompts.
`python -m speed calibration` measures how often intervals and marks are wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Cell = tuple[int, str]
"""(seed, prompt)."""
Values = Mapping[Cell, float]
# of intervals, and of a whole column of marks
LEVEL = 0.05
# paired, of each prompt; with fewer no row is marked
LEAST_SEEDS = 3
# beyond it squares, and sums of squares, overflow
_ABSURD = 1e100
# relative; below it a spread or a difference is none
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; low and high are nan where no prompt has two seeds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Estimate):
    """Mean of one minus other over the cells that both have.

    n: how many cells.  p: two-sided; nan where it is unknown.
    """

    p: float
    n: int


@dataclass(frozen=True)
class _Fit:
    """A mean over prompts of means over seeds.

    size: the largest absolute value.  shares: of its variance, by prompt of two seeds or more.  n:
        the number of their seeds.
    unit: of the shares' roots; their squares would overflow where values are absurd.
    """

    mean: float
    size: float
    shares: NDArray[np.float64]
    n: NDArray[np.float64]
    unit: float = 1.0

    @property
    def error(self) -> float:
        """Standard error; nan where it is unknown, 0 where the spread is rounding."""
        if not len(self.n):
            return np.nan
        error = float(np.sqrt(self.shares.sum())) * self.unit
        return error if error > _ROUNDING * self.size else 0.0

    @property
    def satterthwaite(self) -> float:
        """Degrees of freedom (Satterthwaite 1946), for tests."""
        # too few on average where prompts are alike, so a test errs to a tie
        return float(self.shares.sum() ** 2 / np.sum(self.shares**2 / (self.n - 1)))

    @property
    def unbiased(self) -> float:
        """The same with unbiased fourth powers, for intervals, which need it to cover 95 %."""
        # E s^4 = sigma^4 (n + 1)/(n - 1)
        degrees = self.shares.sum() ** 2 / np.sum(self.shares**2 / (self.n + 1)) - 2
        return float(np.clip(degrees, min(self.n - 1), sum(self.n - 1)))


def _by_prompt(values: Values) -> list[NDArray[np.float64]]:
    prompts = sorted({prompt for _, prompt in values})
    return [
        np.array([v for c, v in sorted(values.items()) if c[1] == prompt]) for prompt in prompts
    ]


def _fit(values: Values) -> _Fit:
    """A prompt with one seed borrows the pooled variance of the others."""
    size = max(abs(v) for v in values.values())
    unit = size if size > _ABSURD else 1.0
    groups = [g / unit for g in _by_prompt(values)]
    several = [g for g in groups if len(g) > 1]
    mean = float(np.mean([g.mean() for g in groups])) * unit
    n = np.array([len(g) for g in several], dtype=np.float64)
    if not several:
        return _Fit(mean, size, n, n, unit)
    # what each prompt adds to the pooled variance, once for each prompt with a single seed
    pooled = (len(groups) - len(several)) * (n - 1) / sum(n - 1)
    variances = np.array([g.var(ddof=1) for g in several])
    shares = variances * (1 / n + pooled) / len(groups) ** 2
    return _Fit(mean, size, shares, n, unit)


def _half(fit: _Fit) -> float:
    """Half the width of the interval."""
    return fit.error * float(stdtrit(fit.unbiased, 1 - LEVEL / 2)) if fit.error > 0 else fit.error


def estimate(values: Values, least: float = -np.inf, most: float = np.inf) -> Estimate:
    """The mean with its interval, cut to [least, most] but never past the mean.

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("estimate: expected at least one value")
    fit = _fit(values)
    half = _half(fit)
    # where a metric's own bounds are wrong, an interval without the mean would be nonsense
    low = np.maximum(fit.mean - half, min(least, fit.mean))
    high = np.minimum(fit.mean + half, max(most, fit.mean))
    return Estimate(fit.mean, float(low), float(high))


def _worse(fit: _Fit) -> float:
    """One-sided p-value of a mean above 0; nan where the error is unknown."""
    # without a spread the sign decides, and equal rows are equal
    if fit.error == 0:
        return float(fit.mean <= _ROUNDING * fit.size)
    return float(stdtr(fit.satterthwaite, -fit.mean / fit.error)) if fit.error > 0 else np.nan


def _minus(one: Values, other: Values) -> dict[Cell, float]:
    """The differences over the cells that both have; exactly 0 where only rounding is left."""
    pairs = {c: (v, other[c]) for c, v in one.items() if c in other}
    return {
        c: a - b if abs(a - b) > _ROUNDING * max(abs(a), abs(b)) else 0.0
        for c, (a, b) in pairs.items()
    }


def difference(one: Values, other: Values) -> Difference | None:
    """One minus other, paired; None where no cell is in both."""
    paired = _minus(one, other)
    if not paired:
        return None
    fit, found = _fit(paired), estimate(paired)
    above = _worse(fit)
    # without a spread, what is more than rounding is there in every seed, whichever way
    same = abs(fit.mean) <= _ROUNDING * fit.size
    p = float(same) if fit.error == 0 else 2 * min(above, 1 - above)
    return Difference(found.mean, found.low, found.high, p, len(paired))


def enough(rows: Collection[Values]) -> bool:
    """Whether each prompt has so many seeds in all rows that they may be marked."""
    shared = set.intersection(*(set(r) for r in rows)) if rows else set()
    seeds = [sum(c[1] == prompt for c in shared) for prompt in {c[1] for row in rows for c in row}]
    return bool(seeds) and min(seeds) >= LEAST_SEEDS


def beaten(rows: Mapping[str, Values], lower_is_better: bool) -> dict[str, float]:
    """By row, the p-value that no other row is better than it, by paired t tests.

    Corrected for the other rows of a row (Bonferroni) and for all rows (Holm): below 5 % the row is
    not the best. {} where fewer than two rows have values, or there are too few paired seeds.
    """
    sign = 1 if lower_is_better else -1
    valued = {name: v for name, v in rows.items() if v}
    if len(valued) < 2 or not enough(valued.values()):
        return {}
    # a row against each other one, and not against the best mean: whoever seems best by chance
    # would be the yardstick of all
    fits = {
        name: [
            _fit({c: sign * d for c, d in _minus(v, o).items()})
            for other, o in valued.items()
            if other != name
        ]
        for name, v in valued.items()
    }
    p = {name: (len(valued) - 1) * min(map(_worse, pairs)) for name, pairs in fits.items()}
    found, least = {}, 0.0
    for k, name in enumerate(sorted(p, key=lambda name: p[name])):
        least = max(least, (len(p) - k) * p[name])
        found[name] = min(1.0, least)
    return found


def best(rows: Mapping[str, Values], lower_is_better: bool) -> set[str]:
    """The rows that may be the best: no other is better than them, see `beaten`.

    At most 5 % of such columns lose a row that is the best or equals it. Empty where fewer than two
    rows have values, or there are too few paired seeds.
    """
    return {name for name, p in beaten(rows, lower_is_better).items() if p > LEVEL}
