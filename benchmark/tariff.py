"""A task's stated prices while a search goes on."""

from __future__ import annotations

import logging
from typing import Any

from benchmark.budget import Budget, OutOfBudget
from benchmark.protocol import Prices

LOG = logging.getLogger("benchmark")


class Tariff:
    """Refuses what would pass a budget in evaluations before it is made; says once where a request cost more than stated."""

    def __init__(self, prices: Prices | None, budget: Budget) -> None:
        self._prices, self._budget = prices, budget
        self._told = False

    def _price(self, ask: list[Any]) -> int:
        return self._prices.of(ask[0], ask[3] if len(ask) > 3 else 0.0) if self._prices is not None else 0

    def admit(self, ask: list[Any], nfe: int) -> None:
        """nfe: what has been spent. Raises OutOfBudget."""
        if self._budget.unit == "nfe" and nfe + (price := self._price(ask)) > self._budget.amount:
            raise OutOfBudget(f"spent {nfe} of {self._budget}, and {ask[0]} costs {price}")

    def paid(self, ask: list[Any], nfe: int) -> None:
        """nfe: what the request cost."""
        if self._prices is not None and not self._told and nfe > (price := self._price(ask)):
            self._told = True
            LOG.warning(f"a request for {ask[0]} took {nfe} network evaluations, more than its stated price of {price}")
