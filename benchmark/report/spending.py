"""What a proposal, a measurement or a whole search had cost, in the unit of the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark.budget import Budget, Unit
from benchmark.store.stored import Stored


def spent(record: Mapping[str, Any], unit: Unit) -> float:
    """Of a proposal or a measurement."""
    # above 0, for the axis is logarithmic
    return max(float(record["nfe"]), 1.0) if unit == "nfe" else max(float(record["seconds"]), 1e-3)


def spent_by(run: Stored, mark: Budget | None) -> dict[str, float]:
    """Seconds and nfe of a search by a mark: the whole where it had ended by then.

    Exact in the mark's unit; in the other, in which proposals alone have stamps, as if spent evenly
    between two of them.
    """
    end = {"seconds": float(run.run["search_seconds"]), "nfe": float(run.run["nfe"])}
    if mark is None:
        return end
    own, other = ("nfe", "seconds") if mark.unit == "nfe" else ("seconds", "nfe")
    if mark.amount >= end[own]:
        return end
    stamps = [dict.fromkeys(end, 0.0), *run.proposals, end]
    x, y = ([float(stamp[name]) for stamp in stamps] for name in (own, other))
    return {own: mark.amount, other: float(np.interp(mark.amount, x, y))}


def whole(run: Stored, unit: Unit) -> float:
    """Of the whole search."""
    return spent({"nfe": run.run["nfe"], "seconds": run.run["search_seconds"]}, unit)
