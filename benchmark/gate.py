"""Whether a new request gets an answer: the budget, stated prices, and the guard beside them."""

from __future__ import annotations

from typing import Any

from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import SPENT, Ledger
from benchmark.guard import Guard, Guarded
from benchmark.journal import Journal
from benchmark.protocol import Prices
from benchmark.tariff import Tariff


class Gate:
    """guarded: which guard ended the search, or "".

    What it counts follows from the lines of the journal, so that a replay is stopped where the search was.
    """

    def __init__(self, budget: Budget, ledger: Ledger, journal: Journal, prices: Prices | None, guard: Guard) -> None:
        self._budget, self._ledger, self._journal, self._guard = budget, ledger, journal, guard
        self._tariff = Tariff(prices, budget)
        self._asked = 0.0  # seconds of the method's own when its last request was answered
        self._free = 0  # requests in a row without a network evaluation
        self.calls = 0
        self.guarded = ""

    def answered(self, cost: int) -> None:
        """A request to an oracle was, now or the first time."""
        self.calls += 1
        self._free = 0 if cost else self._free + 1

    def paid(self, ask: list[Any], cost: int) -> None:
        self._tariff.paid(ask, cost)

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
            raise OutOfBudget(f"spent {spent:.6g} of {self._budget} after {self.calls} oracle calls")
        self._tariff.admit(ask, nfe)
        shelf = self._journal.shelf
        try:
            if self.guarded:  # who swallows it goes on no further
                raise Guarded(self.guarded)
            if counted:
                self._guard.check_progress(self._free, accounts["method"] - self._asked)
            self._guard.check_size(self._journal.size, states, shelf.size if shelf is not None else 0)
        except Guarded as error:
            self.guarded = str(error)
            raise
        return seconds

    def computing(self) -> float:
        """Seconds that the method has worked since its last request was answered; for any thread."""
        return self._ledger.worked("method") - self._asked

    def idled(self) -> bool:
        """Whether a method that is stopped from outside has computed for as long as it may."""
        if self.computing() >= self._guard.idle:
            self.guarded = self._guard.idled
        return bool(self.guarded)
