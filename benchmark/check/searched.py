"""One search by a method on a toy, and how two of them differ."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.budget import Budget, OutOfBudget
from benchmark.check.global_seed import global_seed
from benchmark.check.watched import Watched
from benchmark.protocol import Proposal
from benchmark.search.clock import Ledger
from benchmark.search.loop import search
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.spec import make_method
from benchmark.store.journal import Journal

# network evaluations: some 13 full fits of `quadratic`, hundreds of `tilted`
BUDGET = 300
# proposals after which a check has seen enough
_MOST = 200


class Sink(list[str]):
    """A journal's lines, kept in memory."""

    write = list.append

    def flush(self) -> None:
        """Nothing to do: the lines are in memory."""


Records = list[tuple[int, Proposal[Any]]]
"""(network evaluations, proposal)."""


@dataclass(frozen=True)
class Searched:
    """One search. spent, counted: network evaluations by the meter and by the task itself.

    tested: measurements on held-out data.
    """

    records: Records
    spent: int
    counted: int
    tested: int


def search_once(
    name: str, task: Watched, seed: int, journal: Journal | None = None, global_state: int = 1
) -> Searched:
    budget, ledger = Budget(BUDGET, "nfe"), Ledger()
    metered = Metered(task, budget, ledger, journal=journal)
    counted, tested = task.nfe, task.tested
    found: Records = []
    with global_seed(global_state), suppress(OutOfBudget):
        for incumbent in search(make_method(name, {}), metered, generator(seed, "check"), ledger):
            found.append((incumbent.nfe, incumbent.proposal))
            if len(found) >= _MOST:
                break
    return Searched(found, metered.meter.nfe, task.nfe - counted, task.tested - tested)


def difference(first: Records, second: Records) -> str:
    """The first proposals that differ, or ""."""
    for k, ((n, p), (m, q)) in enumerate(zip(first, second, strict=False), 1):
        if n != m or not np.array_equal(p.lam, q.lam):
            return (
                f"proposal {k} is lam = {p.lam} at {n} evaluations in one and lam = {q.lam} at "
                f"{m} in the other"
            )
    same = len(first) == len(second)
    return "" if same else f"one made {len(first)} proposals and the other {len(second)}"
