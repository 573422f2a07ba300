"""Toys that answer several points at once, and one that does so wrongly."""

from dataclasses import dataclass

import numpy as np
import pytest

from benchmark.options import option
from benchmark.registry import TASKS, Entry
from tasks.quadratic import Quadratic, QuadraticTask

# of a batch: stands for the rounding of another size, so that a replay must repeat the whole batch
SHIFT = 2**-40


class TogetherTask(QuadraticTask):
    """asked: (request, points) of every call, in order."""

    def __init__(self, seed, horizon, rate, batch):
        super().__init__(seed, horizon, rate)
        self.batch, self.asked = batch, []

    def step(self, state, lam, tilt=0.0):
        self.asked.append(("step", 1))
        return super().step(state, lam, tilt)

    def loss(self, state, lam):
        self.asked.append(("loss", 1))
        return super().loss(state, lam)

    def step_many(self, states, lams, tilt=0.0):
        self.asked.append(("step_many", len(states)))
        return [
            super(TogetherTask, self).step(state, lam, tilt) + len(states) * SHIFT
            for state, lam in zip(states, lams, strict=True)
        ]

    def loss_many(self, states, lams):
        self.asked.append(("loss_many", len(states)))
        one = super().loss
        return [one(state, lam) for state, lam in zip(states, lams, strict=True)]


@dataclass(frozen=True)
class Together(Quadratic):
    """The quadratic, several points at once."""

    batch: int = option(4, "points at once", low=1, high=100, later=True)

    def open(self, seed, prompt, lower, device):
        return TogetherTask(seed, self.horizon, self.rate, self.batch)


@dataclass(frozen=True)
class Unpriced(Together):
    """It states no prices."""

    prices = None


class FirstAloneTask(TogetherTask):
    """It answers for the first point in every place."""

    def step_many(self, states, lams, tilt=0.0):
        return super().step_many(states, [lams[0]] * len(lams), tilt)


class UncountedTask(TogetherTask):
    """It counts a batch as one."""

    def loss_many(self, states, lams):
        found = super().loss_many(states, lams)
        self.nfe -= len(found) - 1
        return found


class ShortTask(TogetherTask):
    """It forgets the last point."""

    def loss_many(self, states, lams):
        return super().loss_many(states[:-1], lams[:-1])

    def step_many(self, states, lams, tilt=0.0):
        return super().step_many(states[:-1], lams[:-1], tilt)


class InPlaceTask(TogetherTask):
    """It works in the arrays that it was given."""

    def step_many(self, states, lams, tilt=0.0):
        found = super().step_many(states, lams, tilt)
        states[0] += 1.0
        return found


class NotANumberTask(TogetherTask):
    """F of every second point is no number."""

    def loss_many(self, states, lams):
        found = super().loss_many(states, lams)
        return [np.nan if k % 2 else value for k, value in enumerate(found)]


@pytest.fixture
def together(monkeypatch):
    """The tasks `together` and `unpriced`."""
    TASKS.complete()
    for kind in (Together, Unpriced):
        name = kind.__name__.lower()
        monkeypatch.setitem(TASKS.entries, name, Entry(name, "test", lambda kind=kind: kind))
