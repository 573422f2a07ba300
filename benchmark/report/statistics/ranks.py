"""Mean ranks of rows over blocks, and how far apart two must be to differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.stats import LEVEL

_DRAWS = 10_000


@dataclass(frozen=True)
class Ranks:
    """mean: by row; 1 is best, equal values share their ranks.  blocks: how many.

    critical: of two rows further apart than this one is better. Where all rows are equal, any two
    are so far apart in at most 5 % of such tables.
    """

    mean: Mapping[str, float]
    blocks: int
    critical: float


def ranks(rows: Mapping[str, Mapping[Any, float]], lower: bool) -> Ranks | None:
    """Over the blocks that all rows have, a value a row and block; None for fewer than two rows.

    A block is a seed of a prompt, or a task. Ranks are dealt anew within each block, which is the
    exact law of the largest difference where rows are equal: Nemenyi's (1963) critical difference
    without its normal approximation, which few blocks do not bear.
    """
    shared = sorted(set.intersection(*(set(v) for v in rows.values())), key=str) if rows else []
    if len(rows) < 2 or not shared:
        return None
    values = pd.DataFrame([[rows[name][block] for name in rows] for block in shared])
    table = values.rank(axis=1, ascending=lower).to_numpy()
    # twice the ranks, which are whole: sums are compared
    dealt = np.random.default_rng(0).permuted(
        np.broadcast_to(np.rint(2 * table), (_DRAWS, *table.shape)), axis=2
    )
    widest = np.ptp(dealt.sum(1), axis=1)
    critical = np.quantile(widest, 1 - LEVEL, method="inverted_cdf") / (2 * len(shared))
    return Ranks(dict(zip(rows, table.mean(0).tolist(), strict=True)), len(shared), float(critical))
