"""Slopes over the tilt, equations (2) to (4) of the package."""

from __future__ import annotations

from benchmark.fitting import advance
from benchmark.protocol import Problem, S
from benchmark.space import Lam

STEP = 1e-3
"""Half the width of a symmetric difference over the tilt."""


def direct(problem: Problem[S], state: S, lam: Lam) -> Lam:
    """F_lam, (d,): grad is linear in the tilt, so that no small step is needed (2)."""
    return problem.grad(state, lam, 1.0) - problem.grad(state, lam)


def over_tilt(problem: Problem[S], shared: S, lam: Lam, steps: int) -> Lam:
    """F_lam - A sum_{j<steps} M^j D g, (d,), up to O(STEP^2): (3) and (4)."""
    up, down = (advance(problem, shared, lam, steps, tilt) for tilt in (STEP, -STEP))
    return (problem.grad(up, lam, STEP) - problem.grad(down, lam, -STEP)) / (2 * STEP)
