"""Budgets, and the metered problem that a method works on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from benchmark.clock import Ledger
from benchmark.errors import UsageError
from benchmark.protocol import S, Task
from benchmark.space import Lam, Space

R = TypeVar("R")
Unit = Literal["s", "nfe"]
_FACTORS = {"s": 1, "m": 60, "h": 3600, "nfe": 1}


@dataclass(frozen=True)
class Budget:
    """An amount of seconds (of method and objective together) or of network evaluations."""

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `90s`, `5m`, `2h` or `20000nfe`. Raises UsageError."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|nfe)", text.strip())
        amount = float(match[1]) * _FACTORS[match[2]] if match else 0.0
        if not match or not 0 < amount <= 1e12 or (match[2] == "nfe" and amount != int(amount)):
            raise UsageError(f"budget {text!r}: expected a positive amount such as 90s, 5m, 2h or 20000nfe")
        return cls(amount, "nfe" if match[2] == "nfe" else "s")

    def __str__(self) -> str:
        return np.format_float_positional(self.amount, trim="-") + self.unit

    def share(self, part: float) -> Budget:
        """A part of it, in whole network evaluations where that is the unit."""
        amount = self.amount * part
        return Budget(max(1.0, float(round(amount))) if self.unit == "nfe" else amount, self.unit)


class OutOfBudget(Exception):
    """The budget is spent. Let it pass through: the last proposal counts."""


class Metered(Generic[S]):
    """A Problem that charges each oracle call of a task, turns NaN into inf, and ends when the budget is spent."""

    def __init__(self, task: Task[S], budget: Budget, ledger: Ledger, tick: Callable[[], None] = lambda: None) -> None:
        self._task, self._budget, self._ledger, self._tick = task, budget, ledger, tick
        self.nfe = 0
        self.calls = 0

    @property
    def space(self) -> Space:
        return self._task.space

    @property
    def horizon(self) -> int:
        return self._task.horizon

    def spent(self) -> float:
        """How much of the budget is gone, in its unit."""
        return self.nfe if self._budget.unit == "nfe" else self._ledger.spent()

    def _charged(self, call: Callable[[], R]) -> R:
        spent = self.spent()
        if spent >= self._budget.amount:
            raise OutOfBudget(f"spent {spent:.6g} of {self._budget} after {self.calls} oracle calls")
        before = self._task.nfe
        with self._ledger.account("objective"):
            try:
                return call()
            finally:
                self.nfe += self._task.nfe - before
                self.calls += 1
                with self._ledger.account("io"):
                    self._tick()

    def init(self, seed: int) -> S:
        return self._charged(lambda: self._task.init(seed))

    def step(self, state: S, lam: Lam, tilt: float = 0.0) -> S:
        return self._charged(lambda: self._task.step(state, lam, tilt))

    def loss(self, state: S, lam: Lam) -> float:
        value = self._charged(lambda: self._task.loss(state, lam))
        return math.inf if math.isnan(value) else float(value)

    def grad(self, state: S, lam: Lam, tilt: float = 0.0) -> Lam:
        return np.asarray(self._charged(lambda: self._task.grad(state, lam, tilt)), dtype=np.float64)
