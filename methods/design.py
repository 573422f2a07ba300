"""A space-filling design (Sobol' 1967) whose every point is trained to a full fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from methods.brackets import rungs
from methods.trials import Trial, TrialSearch, start, train


@dataclass(frozen=True)
class Design(TrialSearch):
    """Train the same points in every run to a full fit, with F at each rung, for `bench record`."""

    points: int = option(512, "of the sequence; a power of 2 is spread best", low=1, high=10**6)
    rungs: int = option(
        6, "fidelities, each half of the next; the highest is a full fit", low=1, high=30
    )
    scramble: int = option(0, "seed of the sequence, the same in every run", low=0, high=10**9)

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        # its import is then no part of the search's time
        from scipy.stats.qmc import Sobol

        # not the run's own numbers: at the same points runs differ by their noise alone
        own = np.random.default_rng(self.scramble)
        sequence = Sobol(problem.space.dim, rng=own)
        levels = rungs(problem.horizon, 2, self.rungs, 1)
        return self._trained(problem, sequence.random(self.points), levels)

    def _trained(
        self,
        problem: Problem[S],
        points: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        levels: list[int],
    ) -> Iterator[Trial[S]]:
        for lam in points:
            trial = start(problem, lam)
            for steps in levels:
                trial = train(problem, trial, steps)
                yield trial
