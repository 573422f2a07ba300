"""How probable it is that a row is the best, given so few seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmark.report.stats import Values

_DRAWS = 10_000


def chances(rows: Mapping[str, Values], lower: bool) -> dict[str, float]:
    """By row, the probability that its mean over all seeds is the best; they add up to 1.

    {} for fewer than two rows, and where a prompt has fewer than two seeds that all rows have. The
    rows are taken as drawn from one normal law of unknown width, so that the winner of a few seeds
    counts for less than it seems (random effects; the width is drawn by its fiducial law). Errors
    are multivariate t of the paired seeds. Prompts are fixed and weigh the same.
    """
    shared = sorted(set.intersection(*(set(v) for v in rows.values()))) if rows else []
    prompts = sorted({prompt for row in rows.values() for _, prompt in row})
    if len(rows) < 2 or not prompts:
        return {}
    rng, k = np.random.default_rng(0), len(rows)
    # squares of absurd values would overflow; shares do not hang on the unit
    unit = max(abs(v) for row in rows.values() for v in row.values()) or 1.0
    middle, noise, error = np.zeros(k), np.zeros((_DRAWS, k)), np.zeros((_DRAWS, 1))
    for prompt in prompts:
        values = np.array([[rows[r][c] / unit for r in rows] for c in shared if c[1] == prompt])
        n = len(values)
        if n < 2:
            return {}
        # what all rows of a seed share moves no row past another
        rest = values - values.mean(1, keepdims=True)
        rest -= rest.mean(0)
        spread = 1 / rng.chisquare(n - 1, (_DRAWS, 1))
        middle += values.mean(0)
        noise += rng.standard_normal((_DRAWS, n)) @ rest * np.sqrt(spread / n)
        error += (rest**2).sum() / (k - 1) * spread / n
    middle, noise, error = middle / len(prompts), noise / len(prompts), error / len(prompts) ** 2
    law = middle.var(ddof=1) * (k - 1) / rng.chisquare(k - 1, (_DRAWS, 1))
    kept = np.maximum(0, 1 - np.divide(error, law, out=np.ones_like(error), where=law > 0))
    means = kept * middle + np.sqrt(kept) * noise
    # rows that are equal to the last digit share what they win
    best = means if lower else -means
    won = best == best.min(1, keepdims=True)
    return dict(zip(rows, (won / won.sum(1, keepdims=True)).mean(0).tolist(), strict=True))
