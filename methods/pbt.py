"""Population-based training: Jaderberg et al. 2017 (arXiv 1711.09846)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.trials import Trial, TrialSearch, costs, start, train


@dataclass(frozen=True)
class Pbt(TrialSearch):
    """A population trains side by side; the worst go on as copies of the best, at a lam nearby."""

    population: int = option(
        0,
        "members; 0: one for each full fit that the budget pays for, from 4 to 20",
        low=0,
        high=5000,
    )
    rounds: int = option(
        10,
        "of a full fit; after each the worst are replaced (fewer where an F is as dear as a round)",
        low=1,
        high=10**6,
    )
    replaced: float = option(
        0.2, "share of the population after each round (the paper's truncation)", low=0, high=0.5
    )
    perturb: float = option(
        0.2,
        "most that an axis of the cube is moved by (the paper multiplies by 0.8 or 1.2)",
        low=0,
        high=1,
    )
    resample: float = option(
        0.25, "probability that an axis is drawn anew instead (Ray Tune's)", low=0, high=1
    )

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        price = yield from costs(problem, rng)
        fit = price.of(problem.horizon, self.rounds)
        n = self.population or int(np.clip(problem.remaining() / fit if fit else 20, 4, 20))
        every = price.piece(problem.horizon, self.rounds)
        members = [start(problem, rng.random(problem.space.dim)) for _ in range(n)]
        while True:
            done = []
            for member in members:
                done.append(train(problem, member, member.steps + every))
                yield done[-1]
            members = self.after(problem, rng, sorted(done, key=_order))

    def after(
        self, problem: Problem[S], rng: np.random.Generator, ranked: list[Trial[S]]
    ) -> list[Trial[S]]:
        """The members of the next round, the best first. ranked: those of the last."""
        alive = [t for t in ranked if t.alive]
        if not alive:
            return [start(problem, rng.random(problem.space.dim)) for _ in ranked]
        many = max(1, round(self.replaced * len(ranked))) if self.replaced else 0
        kept = alive[: len(ranked) - many] or alive[:1]
        best = kept[: max(1, many)]
        new = [best[rng.integers(len(best))] for _ in range(len(ranked) - len(kept))]
        return kept + [Trial(self.explore(rng, t.lam), t.state, t.steps, t.loss) for t in new]

    def explore(self, rng: np.random.Generator, lam: Lam) -> Lam:
        moved = lam + self.perturb * rng.uniform(-1, 1, lam.shape)
        anew = rng.random(lam.shape) < self.resample
        return np.clip(np.where(anew, rng.random(lam.shape), moved), 0.0, 1.0)


def _order(trial: Trial[S]) -> float:
    return trial.loss if trial.alive else np.inf
