"""Which axes of a search space have to do with good trials."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.store.stored import Stored, trials_of

# below so many trials a tenth of them is no group
_FEWEST, _MOST = 40, 4000


def importance(runs: Sequence[Stored], axes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Shares by axis, which add up to 1, the largest first; [] for one axis or few trials.

    PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) by Optuna, over all full trials of a table:
    how much of what tells the best tenth of them from the rest lies in an axis.
    """
    names, lengths = {a["name"] for a in axes}, Counter[int]()
    every = []
    for run in runs:
        own = [t for t in trials_of(run) if math.isfinite(t["loss"]) and set(t["lam"]) == names]
        lengths[max((t["steps"] for t in own), default=0)] += 1
        every += own
    # the longest of most runs: F after other lengths is another number
    full = [t for t in every if t["steps"] == lengths.most_common(1)[0][0]] if every else []
    if len(axes) < 2 or len(full) < _FEWEST:
        return []
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study()
    known = {a["name"]: _distribution(a) for a in axes}
    for t in full[:: -(-len(full) // _MOST)]:
        study.add_trial(
            optuna.trial.create_trial(params=t["lam"], distributions=known, value=t["loss"])
        )
    found = get_param_importances(
        study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.1, region_quantile=1.0)
    )
    return [{"axis": name, "share": share} for name, share in found.items()]


def _distribution(axis: Mapping[str, Any]) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if axis["kind"] == "choice":
        return CategoricalDistribution(axis["values"])
    if axis["kind"] == "integer":
        return IntDistribution(int(axis["low"]), int(axis["high"]), log=axis["log"])
    return FloatDistribution(axis["low"], axis["high"], log=axis["log"])
