"""What a proposal, a measurement or a whole search had cost, in the unit of the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.budget import Unit
from benchmark.store.stored import Stored


def spent(record: Mapping[str, Any], unit: Unit) -> float:
    """Of a proposal or a measurement."""
    # above 0, for the axis is logarithmic
    return max(float(record["nfe"]), 1.0) if unit == "nfe" else max(float(record["seconds"]), 1e-3)


def whole(run: Stored, unit: Unit) -> float:
    """Of the whole search."""
    return spent({"nfe": run.run["nfe"], "seconds": run.run["search_seconds"]}, unit)
