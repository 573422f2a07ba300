"""Bilevel-diffusion, Algorithm 1 of Xiao et al. (ICML 2025, arXiv 2502.08808), over any task's oracles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark.errors import UsageError
from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Lam

_STEP = 1e-3  # of the symmetric difference over tilt that stands for gamma = inf


@dataclass(frozen=True)
class Bilevel:
    """Advance y on G and z on G + F/gamma from the same state; one projected step on lam with their first-order hypergradient."""

    gamma: float = option(
        1000.0, "penalty constant; inf: a symmetric difference over the tilt, which has no 1/gamma bias", low=1e-6
    )
    lr: float = option(
        0.08,
        "first step on lam, in the unit cube; Adam (Kingma and Ba 2015) makes it free of F's scale",
        low=0.0,
        high=1.0,
    )
    iterations: int = option(60, "steps on lam; the step size falls to zero along a cosine", low=1, high=10**6)
    steps_y: int = option(
        0,
        "lower steps of y for each step on lam; 0: a quarter of a full fit, so that y keeps up with lam (the paper's S_y)",
        low=0,
        high=10**6,
    )
    steps_z: int = option(
        1, "lower steps of z, forked from y that many steps before y's end (the paper's S_z = 1)", low=1, high=10**6
    )

    uses_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if 0 < self.steps_y < self.steps_z:
            raise UsageError(f"option bilevel.steps_z: expected at most steps_y = {self.steps_y}, got {self.steps_z}")

    def hypergradient(self, problem: Problem[S], state: S, lam: Lam) -> tuple[S, Lam]:
        """y after its steps, and d/dlam of F(lam, y(lam)) up to O(1/gamma). Equal steps and draws for y and z."""
        steps_y = self.steps_y or max(self.steps_z, -(-problem.horizon // 4))
        shared = advance(problem, state, lam, steps_y - self.steps_z)
        y = advance(problem, shared, lam, self.steps_z)
        if np.isinf(self.gamma):
            up, down = (advance(problem, shared, lam, self.steps_z, tilt) for tilt in (_STEP, -_STEP))
            return y, (problem.grad(up, lam, _STEP) - problem.grad(down, lam, -_STEP)) / (2 * _STEP)
        tilt = 1 / self.gamma
        z = advance(problem, shared, lam, self.steps_z, tilt)
        return y, self.gamma * (problem.grad(z, lam, tilt) - problem.grad(y, lam))  # Algorithm 1

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        lam = problem.space.default()
        y = advance(problem, problem.init(seed=0), lam, problem.horizon)
        yield Proposal(lam, y)
        first, second = np.zeros_like(lam), np.zeros_like(lam)
        for k in range(self.iterations):
            y, hyper = self.hypergradient(problem, y, lam)
            if not np.all(np.isfinite(hyper)):
                continue  # F was not a number there: keep lam, advance y
            first = 0.9 * first + 0.1 * hyper
            second = 0.99 * second + 0.01 * hyper**2
            direction = first / (1 - 0.9 ** (k + 1)) / (np.sqrt(second / (1 - 0.99 ** (k + 1))) + 1e-12)
            lr = self.lr * 0.5 * (1 + np.cos(np.pi * k / self.iterations))
            lam = np.clip(lam - lr * direction, 0.0, 1.0)
            yield Proposal(lam, y)
