"""A bracket of successive halving: many trials at the lowest rung, the best of each rung go on.

Li et al., Hyperband, JMLR 18 (2018), arXiv 1603.06560, Algorithm 1, lines 3 to 10; but a trial goes
on from its state, where the paper trains anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.protocol import Problem, S
from methods.trials import Costs, Trial, start, train


def rungs(horizon: int, eta: int, most: int, least: float) -> list[int]:
    """Steps at which trials are compared, ascending to the horizon; each 1/eta of the next.

    most: rungs.  least: steps of the lowest, unless that is the horizon itself.
    """
    below = [horizon // eta**k for k in range(most - 1, 0, -1)]
    return [*(steps for steps in below if steps >= max(1.0, least)), horizon]


def sizes(n: int, eta: int, levels: int) -> list[int]:
    """Trials at each rung: n, n/eta, ... rounded down, at least one."""
    return [max(1, n // eta**k) for k in range(levels)]


def price(n: int, eta: int, levels: Sequence[int], costs: Costs) -> float:
    """The share of the budget that a bracket takes, (0, inf)."""
    trained = np.diff([0, *levels])
    return sum(
        many * costs.of(int(steps), 1)
        for many, steps in zip(sizes(n, eta, len(levels)), trained, strict=True)
    )


def widest(share: float, most: int, eta: int, levels: Sequence[int], costs: Costs) -> int:
    """Trials of the largest bracket of at most `most` that this share pays for, at least one."""
    fitting = (n for n in range(most, 0, -1) if price(n, eta, levels, costs) <= share)
    return next(fitting, 1)


def bracket(
    problem: Problem[S], rng: np.random.Generator, n: int, eta: int, levels: Sequence[int]
) -> Iterator[Trial[S]]:
    """Every trial after every rung, in the order of training: the best first."""
    alive = [start(problem, rng.random(problem.space.dim)) for _ in range(n)]
    for many, steps in zip(sizes(n, eta, len(levels)), levels, strict=True):
        done = []
        for trial in alive[:many]:
            done.append(train(problem, trial, steps))
            yield done[-1]
        alive = sorted((t for t in done if t.alive), key=lambda t: t.loss)
