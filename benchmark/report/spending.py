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


def spent_by(run: Stored, mark: Budget | None, unit: Unit) -> float:
    """Of a search by a mark, the whole where it had ended by then; exact in the mark's own unit.

    In the other, in which proposals alone have stamps, as if spent evenly between two of them.
    """
    end = {"nfe": float(run.run["nfe"]), "s": float(run.run["search_seconds"])}
    if mark is None or mark.amount >= end[mark.unit]:
        return end[unit]
    if mark.unit == unit:
        return mark.amount
    stamps = [(float(p["nfe"]), float(p["seconds"])) for p in run.proposals]
    of = [(0.0, 0.0), *stamps, (end["nfe"], end["s"])]
    x, y = zip(*(pair if unit == "s" else pair[::-1] for pair in of), strict=True)
    return float(np.interp(mark.amount, x, y))


def whole(run: Stored, unit: Unit) -> float:
    """Of the whole search."""
    return spent({"nfe": run.run["nfe"], "seconds": run.run["search_seconds"]}, unit)
