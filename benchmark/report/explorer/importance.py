"""Which axes of a search space have to do with good trials."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from benchmark.report.stats import LEVEL
from benchmark.store.stored import Stored, trials_of

# below so many trials a tenth of them is no group
_FEWEST = 40
_BEST, _BINS = 0.1, 5


def importance(runs: Sequence[Stored], axes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Shares by axis, which add up to 1, the largest first; [] where no axis has any.

    As PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) over the full trials of a table: how far
    the best tenth of them is from all, axis by axis, as Pearson's divergence; here of histograms,
    less what chance gives them.
    """
    full = _full(runs, {a["name"] for a in axes})
    if len(axes) < 2 or len(full) < _FEWEST:
        return []
    losses = np.array([t["loss"] for t in full])
    best = losses <= np.quantile(losses, _BEST)
    found = {}
    for axis in axes:
        name = axis["name"]
        bins = _bins([t["lam"][name] for t in full], axis)
        found[name] = _divergence(bins, best, LEVEL / len(axes))
    total = sum(found.values())
    ordered = sorted(found.items(), key=lambda item: -item[1]) if total else []
    return [{"axis": name, "share": float(value / total)} for name, value in ordered]


def _full(runs: Sequence[Stored], names: set[str]) -> list[dict[str, Any]]:
    """Trials as long as the longest of most runs: F after other lengths is another number."""
    every: list[dict[str, Any]] = []
    lengths: Counter[int] = Counter()
    for run in runs:
        own = [t for t in trials_of(run) if math.isfinite(t["loss"]) and set(t["lam"]) == names]
        lengths[max((t["steps"] for t in own), default=0)] += bool(own)
        every += own
    return [t for t in every if t["steps"] == lengths.most_common(1)[0][0]]


def _bins(values: Sequence[Any], axis: Mapping[str, Any]) -> NDArray[np.int64]:
    """The part of its range in which each value lies, from 0."""
    if axis["kind"] == "choice":
        return np.array([axis["values"].index(v) for v in values])
    ends = np.array([axis["low"], axis["high"]], float)
    x = np.array(values, float)
    if axis["log"]:
        ends, x = np.log(ends), np.log(x)
    place = (x - ends[0]) / (ends[1] - ends[0])
    return np.asarray(np.clip((place * _BINS).astype(np.int64), 0, _BINS - 1))


def _divergence(bins: NDArray[np.int64], best: NDArray[np.bool_], level: float) -> float:
    """Of the best from all, less what as many drawn at random would have on average.

    0 where chance gives as much with a probability above `level` (Pearson's chi-squared).
    """
    every = np.bincount(bins) / len(bins)
    there = every > 0
    some = np.bincount(bins[best], minlength=len(every)) / best.sum()
    apart = float(((some[there] - every[there]) ** 2 / every[there]).sum())
    free, count = int(there.sum()) - 1, float(best.sum())
    # those drawn from all without putting back vary less
    chance = free / count * (1 - count / len(bins))
    if free < 1 or chdtrc(free, apart / chance * free) > level:
        return 0.0
    return apart - chance
