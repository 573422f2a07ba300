"""Budgets, and the exception that ends a search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import numpy as np

from benchmark.errors import UsageError

Unit = Literal["s", "nfe"]
UNITS = get_args(Unit)
_MOST = 1e12
ACCOUNTS = ("setup", "warmup", "method", "objective", "report", "io", "paused")
"""The accounts to which the seconds of a run are charged."""
SPENT = ("method", "objective")
"""The accounts that count against a budget."""
_FACTORS = {"s": 1, "m": 60, "h": 3600, "nfe": 1}


@dataclass(frozen=True)
class Budget:
    """An amount of seconds (of method and objective together) or of network evaluations."""

    amount: float
    unit: Unit

    def __post_init__(self) -> None:
        """Raises UsageError for an amount or a unit that is none."""
        number = isinstance(self.amount, Real) and not isinstance(self.amount, bool)
        whole = self.unit != "nfe" or self.amount % 1 == 0
        if self.unit not in UNITS or not number or not 0 < self.amount <= _MOST or not whole:
            raise UsageError(
                f"Budget({self.amount!r}, {self.unit!r}): expected a positive amount and its "
                "unit, such as Budget(90, 's') or Budget(20000, 'nfe')"
            )

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `90s`, `5m`, `2h` or `20000nfe`. Raises UsageError."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|nfe)", text.strip())
        amount = float(match[1]) * _FACTORS[match[2]] if match else 0.0
        if not match or not 0 < amount <= _MOST or (match[2] == "nfe" and amount != int(amount)):
            raise UsageError(
                f"budget {text!r}: expected a positive amount such as 90s, 5m, 2h or 20000nfe"
            )
        return cls(amount, "nfe" if match[2] == "nfe" else "s")

    def __str__(self) -> str:
        # never 1e+06s: the text is part of a run's identity, and `parse` reads it again
        return np.format_float_positional(self.amount, trim="-") + self.unit

    def share(self, part: float) -> Budget:
        """A part of it, in whole network evaluations where that is the unit."""
        amount = self.amount * part
        return Budget(max(1.0, float(round(amount))) if self.unit == "nfe" else amount, self.unit)


class OutOfBudget(BaseException):
    """The budget is spent. Let it pass through: the last proposal counts.

    unit: "s" or "nfe".  spent, limit: amounts in that unit. spent is below limit where the next
    request would pass it, and where a guard ended the search.

    Like KeyboardInterrupt no Exception: an `except Exception` must not swallow it.
    """

    def __init__(self, spent: float, budget: Budget, why: str = "") -> None:
        self.unit, self.spent, self.limit = budget.unit, spent, budget.amount
        amount = f"{spent:.0f}" if budget.unit == "nfe" else f"{spent:.6g}"
        super().__init__(f"spent {amount} of {budget}{why}")
