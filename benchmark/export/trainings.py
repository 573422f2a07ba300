"""Evaluations of one run, put together by the training that they are of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Training:
    """One lam from one start, evaluated after more and more steps.

    lam: native values.  rows: its evaluations, in the order of time.
    """

    lam: Mapping[str, Any]
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """The most that it was evaluated after."""
        return int(self.rows[-1]["steps"])

    @property
    def loss(self) -> float:
        """F after these."""
        return float(self.rows[-1]["loss"])


def trainings(trials: Iterable[Mapping[str, Any]]) -> list[Training]:
    """In the order in which they began.

    An evaluation at the lam and start of an earlier one goes on with it where it has had more
    steps; else it is another training of the same lam.
    """
    found: list[Training] = []
    latest: dict[str, Training] = {}
    for row in trials:
        key = json.dumps([row["lam"], row["seed"]], sort_keys=True)
        if key not in latest or latest[key].steps >= row["steps"]:
            latest[key] = Training(row["lam"])
            found.append(latest[key])
        latest[key].rows.append(row)
    return found
