"""Whether a new request gets an answer: the budget, stated prices, and the guard beside them."""

from __future__ import annotations

from typing import Any

from benchmark.budget import SPENT, Budget, OutOfBudget
from benchmark.protocol import Prices
from benchmark.search.clock import Ledger
from benchmark.search.guard import Guard, Guarded
from benchmark.search.price_check import PriceCheck
from benchmark.store.journal import Journal


class Gate:
    """guarded: which guard ended the search, or "".

    All counts follow from the lines of the journal, so that a replay stops where the search did.
    """

    def __init__(
        self, budget: Budget, ledger: Ledger, journal: Journal, prices: Prices | None, guard: Guard
    ) -> None:
        self._budget, self._ledger, self._journal, self._guard = budget, ledger, journal, guard
        self._prices = PriceCheck(prices, budget)
        # seconds of the method's own computing when its last request was answered
        self._asked = 0.0
        # requests in a row without a network evaluation
        self._free = 0
        self.calls = 0
        self.guarded = ""

    def answered(self, cost: int) -> None:
        """A request to an oracle was answered, now or the first time."""
        self.calls += 1
        self._free = 0 if cost else self._free + 1

    def paid(self, ask: list[Any], cost: int) -> None:
        self._prices.paid(ask, cost)

    def asked(self, method: float) -> None:
        """A line was written or read with so many seconds of the method's own."""
        self._asked = method

    def admit(self, ask: list[Any], nfe: int, states: int) -> float:
        """The seconds spent so far. Raises OutOfBudget. nfe: spent so far.  states: in use."""
        accounts = self._ledger.accounts()
        seconds = sum(accounts[name] for name in SPENT)
        counted = self._budget.unit == "nfe"
        spent = nfe if counted else seconds
        if spent >= self._budget.amount:
            raise OutOfBudget(spent, self._budget, f" after {self.calls} oracle calls")
        self._prices.admit(ask, nfe)
        # a guard once reached stays: swallowing it gains a method nothing
        if not self.guarded and counted:
            idle = accounts["method"] - self._asked
            self.guarded = self._guard.no_progress(self._free, idle)
        # sizes are checked under every budget: they fill a disk whatever the unit
        checkpoints = self._journal.checkpoints
        disk = checkpoints.size if checkpoints is not None else 0
        self.guarded = self.guarded or self._guard.too_large(self._journal.size, states, disk)
        if self.guarded:
            raise Guarded(spent, self._budget, self.guarded)
        return seconds

    def computing(self) -> float:
        """Seconds the method has worked since its last request was answered; for any thread."""
        return self._ledger.worked("method") - self._asked

    def idled(self) -> bool:
        """Whether a method that is stopped from outside has computed for as long as it may."""
        if self.computing() >= self._guard.idle:
            self.guarded = self._guard.idled
        return bool(self.guarded)
