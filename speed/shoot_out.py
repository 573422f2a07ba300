"""One estimate of a hypergradient against the truth: what it says, what it costs.

The truth is a central difference of F(lam, y(lam)) over full fits from one start, on the same
random numbers; for each axis the finer of the two neighbouring widths that agree best.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.check.differences import settled, slope
from benchmark.device import peak_memory_bytes, reset_peak_memory
from benchmark.fitting import advance
from benchmark.protocol import Problem
from benchmark.space import Lam
from methods.hypergradients.descent import Descent


class Holding:
    """A problem that counts the states which are alive at once. most: their highest number."""

    def __init__(self, task: Any) -> None:
        self._task, self._alive, self.most = task, 0, 0
        self.space, self.horizon = task.space, task.horizon
        self.loss, self.grad = task.loss, task.grad

    def step(self, state: Any, lam: Lam, tilt: float = 0.0) -> Any:
        after = self._task.step(state, lam, tilt)
        if after is not state:
            self._alive += 1
            self.most = max(self.most, self._alive)
            weakref.finalize(after, self._gone)
        return after

    def _gone(self) -> None:
        self._alive -= 1


@dataclass(frozen=True)
class Truth:
    """total: dF(lam, y(lam))/dlam.  wider: the same by a wider difference, which says how far it is
    known.  own: F_lam alone, with y held fixed.  All (d,).
    """

    total: Lam
    wider: Lam
    own: Lam

    @classmethod
    def at(cls, task: Problem[Any], lam: Lam, widths: tuple[float, ...]) -> Truth:
        """widths: half the widths of the differences, in the unit cube, falling."""
        start = task.init(0)
        fitted = advance(task, start, lam, task.horizon)

        def total(at: Lam) -> float:
            return float(task.loss(advance(task, start, at, task.horizon), at))

        def own(at: Lam) -> float:
            return float(task.loss(fitted, at))

        axes = range(len(lam))
        tables = [
            [np.array([slope(value, lam, k, h) for k in axes]) for h in widths]
            for value in (total, own)
        ]
        found, which = settled(tables[0])
        wider = np.array([tables[0][max(0, w - 1)][k] for k, w in enumerate(which)])
        return cls(found, wider, settled(tables[1])[0])


def cosine(a: Lam, b: Lam) -> float:
    """Of the angle between them; nan where one is zero."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else float("nan")


def relative_error(found: Lam, truth: Lam) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def compared(found: Lam, truth: Truth) -> dict[str, float]:
    """cosine, error: with the whole truth.  training: the cosine with its part through y."""
    return {
        "cosine": cosine(found, truth.total),
        "error": relative_error(found, truth.total),
        "training": cosine(found - truth.own, truth.total - truth.own),
    }


def measured(
    method: Descent, open_task: Callable[[], Any], lam: Lam, truth: Truth, seed: int, calls: int
) -> dict[str, float]:
    """One estimate that ends where a full fit ends, and its cost with the steps of y in it.

    calls: how often it is asked at this lam, for one that remembers; the last answer counts.
    """
    task = open_task()
    steps = calls * method.steps(task.horizon)
    y = advance(task, task.init(0), lam, task.horizon - steps)
    problem: Any = Holding(task)
    estimate = method.estimator(problem, np.random.default_rng(seed))
    reset_peak_memory("cpu")
    before, evaluations, began = peak_memory_bytes("cpu"), task.nfe, time.perf_counter()
    for _ in range(calls):
        y, found = estimate(y, lam)
    return {
        **compared(found, truth),
        "seconds": time.perf_counter() - began,
        "evaluations": task.nfe - evaluations,
        "states": problem.most,
        "mib": max(0, peak_memory_bytes("cpu") - before) / 2**20,
    }
