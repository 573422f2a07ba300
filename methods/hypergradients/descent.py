"""What methods that follow a hypergradient share: the steps on lam, and the steps of y between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import ClassVar

import numpy as np

from benchmark.errors import UsageError
from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Lam

_MOST = 1e100  # of a component that Adam is given: it squares it

Estimate = Callable[[S, Lam], tuple[S, Lam]]
"""From y and lam: y after its steps, and an estimate of dF(lam, y(lam))/dlam, (d,)."""


def by_iterations(iterations: int) -> Iterator[float]:
    """Angles from 0 to pi, one for each step on lam."""
    for k in range(iterations):
        yield np.pi * k / iterations


def by_budget(problem: Problem[S], iterations: int) -> Iterator[float]:
    """Angles from 0 to pi by the share that is spent of what is left now, until all of it is.

    iterations: the steps on lam where these cost nothing in the budget's unit.
    """
    whole = problem.remaining()
    for k in count():
        left = problem.remaining()
        # free oracles spend no budget in evaluations, and the step size would never fall
        spent = 1 - left / whole if left < whole else k / iterations
        if not whole or spent >= 1:
            return
        yield np.pi * spent


def descend(
    problem: Problem[S],
    estimate: Estimate[S],
    lr: float,
    angles: Callable[[], Iterator[float]],
) -> Iterator[Proposal[S]]:
    """Projected Adam (Kingma and Ba 2015) on lam in the unit cube from the default, with a step
    size that falls from lr to zero along a cosine. angles: of the cosine, once y is fitted.
    """
    lam = problem.space.default()
    y = advance(problem, problem.init(seed=0), lam, problem.horizon)
    yield Proposal(lam, y)
    first, second = np.zeros_like(lam), np.zeros_like(lam)
    taken = 0
    for angle in angles():
        y, hyper = estimate(y, lam)
        if not np.all(np.isfinite(hyper)):
            continue  # F was not a number there: keep lam, advance y
        taken += 1
        hyper = np.clip(hyper, -_MOST, _MOST)
        first = 0.9 * first + 0.1 * hyper
        second = 0.99 * second + 0.01 * hyper**2
        direction = first / (1 - 0.9**taken) / (np.sqrt(second / (1 - 0.99**taken)) + 1e-12)
        lam = np.clip(lam - lr * 0.5 * (1 + np.cos(angle)) * direction, 0.0, 1.0)
        yield Proposal(lam, y)


def backtrack(
    problem: Problem[S],
    estimate: Estimate[S],
    lr: float,
    angles: Callable[[], Iterator[float]],
    steps: int,
) -> Iterator[Proposal[S]]:
    """As `descend`, but a step after which F is higher is taken back and tried at half its size.

    The size doubles again, up to the cosine's, with each step that F bears out. Every estimate is
    paid for, and an F. What looks like a step too far is compared with as many lower steps at the
    lam before it, for which y's are paid once more: F may be higher for another reason, such as a
    y that still moves.
    steps: of y in an estimate.
    """
    lam = problem.space.default()
    y = advance(problem, problem.init(seed=0), lam, problem.horizon)
    # what a step goes on from: the best so far, with Adam's direction there
    best = Proposal(lam, y, problem.loss(y, lam))
    yield best
    first, second, slope = (np.zeros_like(lam) for _ in range(3))
    share, taken = 1.0, 0
    for angle in angles():
        after, hyper = estimate(y, lam)
        value, sound = problem.loss(after, lam), bool(np.all(np.isfinite(hyper)))
        # the first estimate is at the default again
        if taken and not (sound and value < best.loss):
            at_rest = advance(problem, y, best.lam, steps)
            best = Proposal(best.lam, at_rest, problem.loss(at_rest, best.lam))
            sound = sound and value < best.loss
        if sound:
            if taken:
                share = min(1.0, 2 * share)
            best, taken = Proposal(lam, after, value), taken + 1
            yield best
            slope = np.clip(hyper, -_MOST, _MOST)
            first = 0.9 * first + 0.1 * slope
            second = 0.99 * second + 0.01 * slope**2
        else:
            # without its momentum, which may point uphill here
            share, first = share / 2, slope * (1 - 0.9**taken)
        y = best.state
        # nothing has been taken where the first estimate was not a number
        n = max(1, taken)
        scale = np.sqrt(second / (1 - 0.99**n)) + 1e-12
        size = lr * share * 0.5 * (1 + np.cos(angle))
        lam = np.clip(best.lam - size * first / (1 - 0.9**n) / scale, 0.0, 1.0)


@dataclass(frozen=True)
class Descent:
    """A method that is `descend` with an estimate of its own: it overrides `window` and `look`, or
    `estimator` where an estimate draws or remembers.
    """

    lr: float = option(
        0.08,
        "first step on lam, in the unit cube; Adam (Kingma and Ba 2015) makes it free of F's scale",
        low=0.0,
        high=1.0,
    )
    iterations: int = option(
        60,
        "steps on lam; the step size falls to zero along a cosine (see schedule)",
        low=1,
        high=10**6,
    )
    steps_y: int = option(
        0,
        "lower steps of y for each step on lam; 0: a quarter of a full fit, so that y keeps up "
        "with lam (the paper's S_y)",
        low=0,
        high=10**6,
    )

    schedule: str = option(
        "iterations",
        "what the cosine follows and the search lasts for, the steps on lam or the budget; budget "
        "ends lower on toys with 3,000 evaluations and ties on reward_ft (DESIGN.md, 119)",
        choices=("iterations", "budget"),
        later=True,
    )

    control: str = option(
        "none",
        "what a step on lam is held to: nothing, or F, which takes back a step that raised it",
        choices=("none", "loss"),
        later=True,
    )

    uses_gradient: ClassVar[bool] = True
    window_of: ClassVar[str]
    """What sets `window`, as a user names it: `neumann.terms`."""

    def __post_init__(self) -> None:
        if 0 < self.steps_y < self.window:
            raise UsageError(
                f"option steps_y: expected at least {self.window}, the window of "
                f"{self.window_of}, got {self.steps_y}; 0 is always enough"
            )

    @property
    def window(self) -> int:
        """The last of y's steps, through which the estimate looks."""
        raise NotImplementedError

    def look(self, problem: Problem[S], shared: S, lam: Lam) -> tuple[S, Lam]:
        """y `window` steps after `shared`, and the estimate, (d,)."""
        raise NotImplementedError

    def steps(self, horizon: int) -> int:
        """Lower steps of y for each step on lam."""
        return self.steps_y or max(self.window, -(-horizon // 4))

    def shared(self, problem: Problem[S], state: S, lam: Lam) -> S:
        """The state from which y goes on through the window."""
        return advance(problem, state, lam, self.steps(problem.horizon) - self.window)

    def hypergradient(self, problem: Problem[S], state: S, lam: Lam) -> tuple[S, Lam]:
        """y after its steps, and the estimate of dF(lam, y(lam))/dlam, (d,)."""
        return self.look(problem, self.shared(problem, state, lam), lam)

    def estimator(self, problem: Problem[S], rng: np.random.Generator) -> Estimate[S]:
        """One search's estimate."""
        return partial(self.hypergradient, problem)

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        if self.schedule == "budget":
            angles = partial(by_budget, problem, self.iterations)
        else:
            angles = partial(by_iterations, self.iterations)
        estimate = self.estimator(problem, rng)
        if self.control == "none":
            return descend(problem, estimate, self.lr, angles)
        return backtrack(problem, estimate, self.lr, angles, self.steps(problem.horizon))
