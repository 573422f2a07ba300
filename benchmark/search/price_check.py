"""A task's stated prices while a search goes on."""

from __future__ import annotations

import logging
from typing import Any

from benchmark.budget import Budget, OutOfBudget
from benchmark.protocol import Prices
from benchmark.search.replay import REMAINING

LOG = logging.getLogger("benchmark")


class PriceCheck:
    """Refuses requests that would pass a budget in evaluations; warns once of a price too low."""

    def __init__(self, prices: Prices | None, budget: Budget) -> None:
        self._prices, self._budget = prices, budget
        self._warned = False

    def _price(self, ask: list[Any]) -> int:
        if self._prices is None or ask[0] == REMAINING:
            return 0
        # [name, handle, lam, tilt], of a batch a list of handles; an `init` has no tilt
        price = self._prices.of(ask[0], ask[3] if len(ask) > 3 else 0.0)
        return price * len(ask[1]) if isinstance(ask[1], list) else price

    def admit(self, ask: list[Any], nfe: int) -> None:
        """nfe: what has been spent. Raises OutOfBudget."""
        if self._budget.unit == "nfe" and nfe + (price := self._price(ask)) > self._budget.amount:
            raise OutOfBudget(nfe, self._budget, f", and {ask[0]} costs {price}")

    def paid(self, ask: list[Any], nfe: int) -> None:
        """nfe: what the request cost."""
        if self._prices is not None and not self._warned and nfe > (price := self._price(ask)):
            self._warned = True
            LOG.warning(
                f"a request for {ask[0]} took {nfe} network evaluations, more than its stated "
                f"price of {price}"
            )
