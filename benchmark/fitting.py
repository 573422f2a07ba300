"""A black-box evaluation, made of the three oracles that every task has."""

from __future__ import annotations

from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Lam


def advance(problem: Problem[S], state: S, lam: Lam, steps: int, tilt: float = 0.0) -> S:
    """`steps` steps on G + tilt*F."""
    for _ in range(steps):
        state = problem.step(state, lam, tilt)
    return state


def fit(problem: Problem[S], lam: Lam, seed: int) -> Proposal[S]:
    """Solve the lower problem at lam from scratch and evaluate F there."""
    state = advance(problem, problem.init(seed), lam, problem.horizon)
    return Proposal(lam, state, problem.loss(state, lam))
