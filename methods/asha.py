"""ASHA, asynchronous successive halving with one worker: Li et al. 2020, arXiv 1810.05934."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from methods.brackets import price, rungs
from methods.trials import Costs, Trial, TrialSearch, costs, start, train


@dataclass
class Rung(Generic[S]):
    """losses: F of all that came here.  waiting: those that have not gone on, by their place."""

    losses: list[float] = field(default_factory=list)
    waiting: dict[int, Trial[S]] = field(default_factory=dict)

    def add(self, trial: Trial[S]) -> None:
        self.waiting[len(self.losses)] = trial
        self.losses.append(trial.loss)

    def take(self, eta: int) -> Trial[S] | None:
        """The best of the first 1/eta that still waits, which then goes on."""
        first = np.argsort(self.losses, kind="stable")[: len(self.losses) // eta]
        waiting = (int(k) for k in first if k in self.waiting and self.waiting[int(k)].alive)
        k = next(waiting, None)
        return None if k is None else self.waiting.pop(k)


@dataclass(frozen=True)
class Asha(TrialSearch):
    """Let a trial go on as soon as it is among the best of its rung; else begin a random point."""

    eta: int = option(
        3, "one trial of so many goes on to the next rung (the paper's is 4)", low=2, high=99
    )
    rungs: int = option(
        3,
        "at most; the highest is a full fit, the lowest no shorter than an F is dear; fewer, but "
        "two, where the first full fit would come after a half of the budget",
        low=1,
        high=30,
    )
    points: int = option(
        300, "after so many the rungs are emptied, which bounds the states in use", low=1, high=5000
    )

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        each = yield from costs(problem, rng)
        levels = rungs(problem.horizon, self.eta, self.rungs, each.least)
        while len(levels) > 2 and self._late(levels, each, problem.remaining()):
            levels = levels[1:]
        while True:
            yield from self._round(problem, rng, levels)

    def _late(self, levels: list[int], each: Costs, left: float) -> bool:
        """Whether the first full fit comes after a half of what is left, and without the lowest
        rung the first answer still comes within a quarter.
        """
        full = price(self.eta ** (len(levels) - 1), self.eta, levels, each)
        return full > left / 2 and each.of(levels[1], 1) <= left / 4

    def _round(
        self, problem: Problem[S], rng: np.random.Generator, levels: list[int]
    ) -> Iterator[Trial[S]]:
        ladder: list[Rung[S]] = [Rung() for _ in levels]
        while len(ladder[0].losses) < self.points:
            trial, to = self._next(problem, rng, ladder)
            trial = train(problem, trial, levels[to])
            ladder[to].add(trial)
            yield trial

    def _next(
        self, problem: Problem[S], rng: np.random.Generator, ladder: list[Rung[S]]
    ) -> tuple[Trial[S], int]:
        """Which trial is trained next, and to which rung: get_job of Algorithm 2."""
        for k in reversed(range(len(ladder) - 1)):
            if (trial := ladder[k].take(self.eta)) is not None:
                return trial, k + 1
        return start(problem, rng.random(problem.space.dim)), 0
