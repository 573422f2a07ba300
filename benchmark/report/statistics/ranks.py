"""Mean ranks of rows over blocks, and how far apart two must be to differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.report.stats import LEVEL

_DRAWS = 10_000
# blocks up to which ranks are dealt
_FEW = 100
Matrix = NDArray[np.float64]


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
    deal = _dealt if len(shared) <= _FEW else _normal
    widest = np.ptp(deal(np.rint(2 * table), np.random.default_rng(0)), axis=1)
    critical = np.quantile(widest, 1 - LEVEL, method="inverted_cdf") / (2 * len(shared))
    return Ranks(dict(zip(rows, table.mean(0).tolist(), strict=True)), len(shared), float(critical))


def _dealt(table: Matrix, rng: np.random.Generator) -> Matrix:
    """Sums over blocks, (draws, rows), where the ranks of each block are dealt anew."""
    sums: Matrix = rng.permuted(np.broadcast_to(table, (_DRAWS, *table.shape)), axis=2).sum(1)
    return sums


def _normal(table: Matrix, rng: np.random.Generator) -> Matrix:
    """As `_dealt` of many blocks, whose sums are normal: the same mean, variance, correlation."""
    rows = table.shape[1]
    # dealt ranks of a block have its variance, and the covariance -variance / (rows - 1)
    deviation = np.sqrt(table.var(axis=1).sum() * rows / (rows - 1))
    drawn = rng.standard_normal((_DRAWS, rows)) * deviation
    # what the rows share changes no difference
    return np.asarray(drawn - drawn.mean(1, keepdims=True))
