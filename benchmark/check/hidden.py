"""Whether a method is given a way to the task or to a held-out seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmark.budget import Budget
from benchmark.check.reach import numbers, reached, ways
from benchmark.check.searched import BUDGET
from benchmark.check.watched import TOYS, Watched
from benchmark.protocol import Problem, Proposal
from benchmark.search.clock import Ledger
from benchmark.search.loop import search
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.store.journal import Journal

GIVEN = "is given no held-out seed and no way to the task by attributes"
# ways to the task that a message names
_SHOWN = 4


def problem_hides_the_task() -> str:
    """Looks through all attributes of what a search gives to a method, and of two states.

    Not looked at is what only another process could hide: closure cells and the garbage collector.
    """
    task, budget, ledger, journal = Watched(TOYS[0], 0), Budget(BUDGET, "nfe"), Ledger(), Journal()
    metered = Metered(task, budget, ledger, journal=journal)
    wrong: list[str] = []

    def probe(problem: Problem[Any], rng: np.random.Generator) -> Iterator[Proposal[Any]]:
        lam = problem.space.default()
        first = problem.init(0)
        given = {"problem": problem, "state": first}
        # requests of every kind move every counter, which is how a counter is recognised
        before = numbers(reached(given))
        given["later_state"] = problem.step(first, lam)
        loss, _ = problem.loss(first, lam), problem.grad(first, lam)
        known = {
            "the task": task,
            "the meter": metered,
            "its ledger": ledger,
            "its budget": budget,
            "its journal": journal,
        }
        inside = [
            ("the task", task.inner),
            *(("what the task keeps in a state", made) for made in task.made),
        ]
        wrong.extend(ways(given, [*known.items(), *inside], before))
        yield Proposal(lam, first, loss)

    next(search(probe, metered, generator(0, "check"), ledger))
    more = f" and {len(wrong) - _SHOWN} ways more" if len(wrong) > _SHOWN else ""
    return "; ".join(wrong[:_SHOWN]) + more
