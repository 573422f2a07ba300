"""Budgets, and their end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark.errors import UsageError

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


class OutOfBudget(BaseException):
    """The budget is spent. Let it pass through: the last proposal counts.

    Like KeyboardInterrupt no Exception, so that `except Exception` around an evaluation does not swallow it.
    """
