"""Optimisers that call a function, such as SciPy's `minimize`, as methods, which are generators.

The optimiser runs in a thread of its own and F is asked in the method's. One of the two always
waits for the other, so that the order of requests is the optimiser's alone, and what it computes
is the method's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread, current_thread

import numpy as np

from benchmark.fitting import fit
from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Lam

Objective = Callable[[Lam], float]
"""F after a full fit at lam, (d,); inf where it is not a number."""
_PATIENCE = 5.0  # seconds in which an optimiser must let go
_TIMES = 100  # that it is told to


class Ended(BaseException):
    """The search is over; it unwinds the optimiser. No Exception, as `OutOfBudget` is none."""


def by_callback(
    problem: Problem[S], optimise: Callable[[Objective], object], seed: int = 0
) -> Iterator[Proposal[S]]:
    """Each point at which F is lower than before, among those that `optimise` asks for.

    optimise: called once with the function to be minimised, which takes a lam, (d,); outside of
        the unit cube it is the nearest point inside that counts. It may return, as `minimize` does,
        or call the function for ever. It draws on the method's `rng` alone, and calls the function
        from the thread that it runs in.
    seed: of `fit`, the same for every point.
    Raises what the oracles raise, and what `optimise` raises. When the search is over, at the end
    of the budget too, the function raises in the thread, and the thread ends.
    """
    asked: SimpleQueue[Lam | BaseException | None] = SimpleQueue()
    told: SimpleQueue[float | None] = SimpleQueue()

    def objective(lam: Lam) -> float:
        if current_thread() is not thread:
            raise RuntimeError(
                "by_callback: expected calls from the optimiser's own thread, got one from "
                f"{current_thread().name}; let it run without workers"
            )
        # a copy, for optimisers go on working in the array
        asked.put(np.array(lam, dtype=np.float64))
        if (loss := told.get()) is None:
            raise Ended
        return loss

    def run() -> None:
        try:
            optimise(objective)
            asked.put(None)
        except BaseException as error:
            asked.put(error)

    # a daemon: who swallows `Ended` for ever must not keep the process alive
    thread = Thread(target=copy_context().run, args=(run,), name="optimiser", daemon=True)
    thread.start()
    best = np.inf
    try:
        while (lam := asked.get()) is not None:
            if isinstance(lam, BaseException):
                raise lam
            found = fit(problem, np.clip(lam, 0.0, 1.0), seed)
            if found.loss < best:
                best = found.loss
                yield found
            told.put(found.loss)
    finally:
        # after so many it waits for an answer that never comes, and takes no time
        for _ in range(_TIMES):
            told.put(None)
        thread.join(_PATIENCE)
