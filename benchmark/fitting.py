"""A black-box evaluation of one point or several, made of the three oracles of every task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from benchmark.protocol import Batched, Oracles, Problem, Proposal, S
from benchmark.space import Lam


def advance(problem: Oracles[S], state: S, lam: Lam, steps: int, tilt: float = 0.0) -> S:
    """The state after `steps` steps on G + tilt*F at lam, (d,) in the unit cube."""
    for _ in range(steps):
        state = problem.step(state, lam, tilt)
    return state


def fit(problem: Oracles[S], lam: Lam, seed: int) -> Proposal[S]:
    """Solve the lower problem at lam from scratch and evaluate F there.

    lam: (d,) in the unit cube.  seed: of the start; methods that compare lam use one seed. It
    takes `init`, `horizon` steps and one `loss`, and raises what these raise.
    """
    state = advance(problem, problem.init(seed), lam, problem.horizon)
    return Proposal(lam, state, problem.loss(state, lam))


def batch_of(problem: object) -> int:
    """How many points a problem fits at once with a gain, from 1: none."""
    # asked for each point, and `isinstance` of a protocol takes 20 us
    return cast(Batched[Any], problem).batch if hasattr(problem, "step_many") else 1


def fit_many(problem: Problem[S], lams: Iterable[Lam], seed: int = 0) -> Iterator[Proposal[S]]:
    """`fit` of each point, in their order, at most `problem.batch` of them at once.

    lams: each (d,) in the unit cube; drawn as they are needed.  seed: of the start of them all.
    With `batch` 1 it asks what `fit` for each asks, in the same order.

    It raises what the requests raise; what was yielded before counts. Under a budget in
    evaluations, where the prices are known, no more points are asked at once than still fit, so
    that the budget ends as it does one by one. Under a budget in seconds, or without prices, the
    points that are at work as the budget ends are all lost; one by one it would be one.
    """
    if (batch := batch_of(problem)) == 1:
        # no generator inside: a point is drawn when the one before has been answered
        yield from (fit(problem, lam, seed) for lam in lams)
        return
    waiting = iter(lams)
    chunk: list[Lam] = []
    while chunk := chunk + list(islice(waiting, batch - len(chunk))):
        start, now = problem.init(seed), min(len(chunk), _fitting(problem))
        yield from _together(problem, start, chunk[:now])
        chunk = chunk[now:]


def _together(problem: Problem[S], start: S, lams: list[Lam]) -> list[Proposal[S]]:
    states = [start] * len(lams)
    for _ in range(problem.horizon):
        states = list(problem.step_many(states, lams))
    losses = problem.loss_many(states, lams)
    return [Proposal(*found) for found in zip(lams, states, losses, strict=True)]


def _fitting(problem: Problem[S]) -> int:
    """How many fits the rest of the budget has room for; at least 1, and `batch` if unknown."""
    prices, budget = problem.prices, problem.budget
    if prices is None or budget.unit != "nfe" or not (price := prices.fit - prices.init):
        return problem.batch
    # a share of whole evaluations, so that rounding gives back their number
    return max(1, round(problem.remaining() * budget.amount) // price)
