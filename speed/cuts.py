"""When a search of several rewards is ahead: bilevel against others, after so many evaluations.

Used by `python -m speed rewards`; of the runs on guided images, where an evaluation is dear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.report.stats import Values, difference

OTHERS = ("random", "gp", "cmaes")
CUTS = (3500, 5500, 7500, 8500, 9500, 11000, 13000, 16000, 20000, 25000, 30000, 46000)

Path = NDArray[np.float64]
"""(n, 2): what was spent, and the best score so far."""


def cuts(paths: Sequence[tuple[int, str, int, Path]]) -> pd.DataFrame:
    """A row a cut: the best score so far by F, bilevel less another, paired by seeds.

    paths: (rewards, method, seed, path) of each run. Left out where a run had no evaluation yet.
    """
    rows = []
    for size in sorted({size for size, *_ in paths}):
        for other in OTHERS:
            for cut in CUTS:
                one, two = (_at(paths, size, method, cut) for method in ("bilevel", other))
                if (found := difference(one, two)) is None:
                    continue
                rows.append(
                    {
                        "rewards": size,
                        "other": other,
                        "evaluations": cut,
                        "mean": found.mean,
                        "low": found.low,
                        "high": found.high,
                        "p": found.p,
                        "n": found.n,
                    }
                )
    return pd.DataFrame(rows)


def _at(paths: Sequence[tuple[int, str, int, Path]], size: int, method: str, cut: float) -> Values:
    found = {}
    for own, name, seed, path in paths:
        k = int(np.searchsorted(path[:, 0], cut, side="right"))
        if (own, name) == (size, method) and k:
            found[seed, ""] = float(path[k - 1, 1])
    return found
