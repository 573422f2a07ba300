"""Freeze-Thaw: Swersky, Snoek and Adams 2014 (arXiv 1406.3896), with expected improvement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from benchmark.options import option
from benchmark.protocol import Problem, S
from methods.curves import Array, Curves, improvement
from methods.trials import Trial, TrialSearch, costs, start, train

_CANDIDATES = 200  # random new points among which the model chooses
_RECENT = 5  # observations of a training that the model keeps: its cost is cubic in all of them


@dataclass(frozen=True)
class FreezeThaw(TrialSearch):
    """Freeze a training, and thaw whichever promises most by where its curve ends. The paper
    chooses by entropy search, this by expected improvement of the end.
    """

    points: int = option(50, "trainings that are begun, at most", low=1, high=200)
    pieces: int = option(
        10,
        "of a full fit, after each of which F is measured (fewer where it is dear)",
        low=1,
        high=50,
    )
    thaws: int = option(
        3, "pieces of old trials for each new one (the paper: 10 old to 3 new)", low=0, high=100
    )

    def search(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Trial[S]]:
        price = yield from costs(problem, rng)
        piece = price.piece(problem.horizon, self.pieces)
        latest: list[Trial[S]] = []
        curves: list[list[tuple[float, float]]] = []
        for turn in count():
            running = [k for k, t in enumerate(latest) if t.alive and t.steps < problem.horizon]
            model = _model(latest, curves)
            if len(latest) < self.points and (turn % (self.thaws + 1) == 0 or not running):
                lams = rng.random((_CANDIDATES, problem.space.dim))
                k = len(latest)
                latest.append(start(problem, lams[_best(model, lams)]))
                curves.append([])
            elif running:
                k = running[_best(model, np.array([latest[k].lam for k in running]))]
            else:
                return
            latest[k] = train(problem, latest[k], min(problem.horizon, latest[k].steps + piece))
            curves[k].append((latest[k].steps / problem.horizon, latest[k].loss))
            yield latest[k]


def _model(latest: list[Trial[S]], curves: list[list[tuple[float, float]]]) -> Curves | None:
    """From (share of a full fit, F) of each trial; None before the first finite F."""
    seen = [(k, *at) for k, curve in enumerate(curves) for at in curve[-_RECENT:]]
    if not any(np.isfinite(loss) for _, _, loss in seen):
        return None
    which, times, losses = (np.array(column) for column in zip(*seen, strict=True))
    return Curves.fit(np.array([latest[k].lam for k in which]), which, times, losses)


def _best(model: Curves | None, lams: Array) -> int:
    """Which of these lam, (M, d), promises most; the first where there is no model."""
    if model is None:
        return 0
    return int(np.argmax(improvement(*model.ends(lams), model.ends(model.lams)[0].min())))
