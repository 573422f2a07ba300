"""A median and a share, with intervals that ask nothing of the noise; values may be inf."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# scipy.stats, which has both by name, takes half a second to import
from scipy.special import bdtr, betaincinv

from benchmark.report.stats import LEVEL

HELD = (
    "between order statistics: 95 % or more from 6 values on; of 5, 4, 3, 2 the least and the "
    "most, which hold 94, 88, 75, 50 %"
)
Interval = tuple[float, float, float]


def median(values: Sequence[float]) -> Interval:
    """Median, and the interval that `HELD` describes; of an even number the upper of both.

    How many of n values lie below the median is binomial, whatever the values' law (Conover 1999,
    3.2). Values of several prompts count as drawn alike; where they are not, it holds more.
    """
    ordered, n = sorted(values), len(values)
    k = max(1, int((bdtr(np.arange(n // 2), n, 0.5) <= LEVEL / 2).sum()))
    return ordered[n // 2], ordered[k - 1], ordered[n - k]


def share(hits: int, n: int) -> Interval:
    """A share and its exact 95 % interval (Clopper and Pearson 1934)."""
    low = betaincinv(hits, n - hits + 1, LEVEL / 2) if hits else 0.0
    high = betaincinv(hits + 1, n - hits, 1 - LEVEL / 2) if hits < n else 1.0
    return hits / n, float(low), float(high)
