"""Trainings that can be stopped and gone on with, for methods that compare lam before a full fit.

A fidelity is the number of steps that a state has had, out of the task's horizon.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic

import numpy as np

from benchmark.fitting import advance
from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Lam

_PART = 3  # an answer has had at least the most steps of any trial, divided by this
_PROBE = 10  # steps whose mean says what one takes; the first alone may be slow


@dataclass(frozen=True)
class Trial(Generic[S]):
    """A training at lam. steps: that its state has had.  loss: F of that state."""

    lam: Lam
    state: S
    steps: int = 0
    loss: float = np.inf

    @property
    def alive(self) -> bool:
        """Whether its F is a number."""
        return bool(np.isfinite(self.loss))


def start(problem: Problem[S], lam: Lam) -> Trial[S]:
    return Trial(lam, problem.init(seed=0))


def train(problem: Problem[S], trial: Trial[S], steps: int) -> Trial[S]:
    """The trial after `steps` steps in all, gone on with from its state, and its F there."""
    state = advance(problem, trial.state, trial.lam, steps - trial.steps)
    return Trial(trial.lam, state, steps, problem.loss(state, trial.lam))


def answers(trials: Iterable[Trial[S]]) -> Iterator[Proposal[S]]:
    """The lowest F among the trials that have had a third of the most steps, when that is another.

    The lowest F of all lets an untrained state win by chance: on a slow `quadratic` it ends at a
    median F(lam) of 0.21 over methods, the longest-trained at 0.15 (for freeze_thaw 0.68), this at
    0.13; on `noise_schedule` the three agree (`python -m speed anytime`).
    """
    front: list[Trial[S]] = []  # none of them has both fewer steps and a higher F than another
    best: Trial[S] | None = None
    for new in filter(lambda t: t.alive, trials):
        if any(t.steps >= new.steps and t.loss <= new.loss for t in front):
            continue
        front = [t for t in front if t.steps > new.steps or t.loss < new.loss] + [new]
        most = max(t.steps for t in front)
        found = min((t for t in front if _PART * t.steps >= most), key=lambda t: t.loss)
        if found is not best:
            best = found
            yield Proposal(best.lam, best.state, best.loss)


@dataclass(frozen=True)
class Costs:
    """Of one step and of one F, as shares of the whole budget."""

    step: float
    loss: float

    def of(self, steps: int, losses: int) -> float:
        return steps * self.step + losses * self.loss

    @property
    def least(self) -> float:
        """The steps that cost as much as one F; fewer, and comparing takes more than training."""
        if self.step:
            return self.loss / self.step
        return np.inf if self.loss else 0.0

    def piece(self, horizon: int, parts: int) -> int:
        """Steps of one of so many parts of a full fit, or what costs as much as an F, if that is
        more; at most the horizon.
        """
        return math.ceil(min(horizon, max(horizon / parts, self.least)))


def costs(problem: Problem[S], rng: np.random.Generator) -> Generator[Trial[S], None, Costs]:
    """From the prices where they are in the budget's unit; else measured on a trial, which is
    yielded. Asks for the start first, so that all that is left is for training.
    """
    probe = start(problem, rng.random(problem.space.dim))
    if problem.prices is not None and problem.budget.unit == "nfe":
        amount = problem.budget.amount
        return Costs(problem.prices.step / amount, problem.prices.loss / amount)
    steps = min(_PROBE, problem.horizon)
    left = [problem.remaining()]
    state = advance(problem, probe.state, probe.lam, steps)
    left.append(problem.remaining())
    loss = problem.loss(state, probe.lam)
    left.append(problem.remaining())
    yield Trial(probe.lam, state, steps, loss)
    return Costs((left[0] - left[1]) / steps, left[1] - left[2])


class TrialSearch:
    """A method that compares trainings: it overrides `search`, and publishes `answers` of it."""

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        """Every trial, each time that it has been trained on."""
        raise NotImplementedError

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        return answers(self.search(problem, rng))
