"""Variants of the quadratic toy: some oracles are free, or dear, or their prices are stated."""

from dataclasses import dataclass

import pytest

from benchmark.protocol import Prices
from benchmark.registry import TASKS, Entry
from tasks.quadratic import Quadratic, QuadraticTask

STATED = Prices(
    init=1, step=7, loss=1, grad=2, tilted_step=8, tilted_grad=3, horizon=20
)  # a fit: 142


class FreeTask(QuadraticTask):
    """Only its start costs anything, as that of a bank of samples does."""

    def step(self, state, lam, tilt=0.0):
        found = super().step(state, lam, tilt)
        self.nfe -= 1
        return found

    def loss(self, state, lam):
        found = super().loss(state, lam)
        self.nfe -= 1
        return found


class DearTask(QuadraticTask):
    """A step costs 7, a tilted one 8."""

    def step(self, state, lam, tilt=0.0):
        self.nfe += 7 if tilt else 6
        return super().step(state, lam, tilt)


@dataclass(frozen=True)
class Free(Quadratic):
    prices = None  # it states none, whatever the toy itself does

    def open(self, seed, prompt, lower, device):
        return FreeTask(seed, self.horizon, self.rate)


@dataclass(frozen=True)
class Dear(Quadratic):
    """It states no prices, whatever the toy itself does."""

    prices = None

    def open(self, seed, prompt, lower, device):
        return DearTask(seed, self.horizon, self.rate)


@dataclass(frozen=True)
class Priced(Dear):
    counted = "an evaluation is a toy's"

    def prices(self, lower):
        return STATED


@dataclass(frozen=True)
class Cheaper(Dear):
    """It states less than a tilted step takes."""

    counted = "an evaluation is a toy's"

    def prices(self, lower):
        return Prices(init=1, step=7, loss=1, grad=2, tilted_step=7, tilted_grad=3, horizon=20)


@pytest.fixture
def toys(monkeypatch):
    """The tasks `free`, `dear`, `priced` and `cheaper`."""
    TASKS.complete()
    for kind in (Free, Dear, Priced, Cheaper):
        name = kind.__name__.lower()
        monkeypatch.setitem(TASKS.entries, name, Entry(name, "test", lambda kind=kind: kind))
