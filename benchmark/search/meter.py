"""Charging: what each request costs, whether it may be made, and whether the counts agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.budget import Budget, OutOfBudget
from benchmark.errors import one_line
from benchmark.protocol import Prices, Task
from benchmark.search.audit import Audit
from benchmark.search.clock import Ledger
from benchmark.search.gate import Gate
from benchmark.search.guard import Guard
from benchmark.store.journal import Journal, Line


class Meter:
    """The budget of one search: its evaluations here, its seconds in the ledger.

    nfe: evaluations so far.  longest: seconds of one request; of a resumed run, since then.
    """

    def __init__(
        self,
        task: Task[Any],
        budget: Budget,
        ledger: Ledger,
        journal: Journal,
        prices: Prices | None,
        guard: Guard,
    ) -> None:
        self._task, self._budget, self.ledger = task, budget, ledger
        self.audit = Audit(task)
        self.gate = Gate(budget, ledger, journal, prices, guard)
        self.nfe = 0
        self.longest = 0.0

    def spent(self) -> float:
        """How much of the budget is gone, in its unit."""
        return self.nfe if self._budget.unit == "nfe" else self.ledger.spent()

    def late(self) -> bool:
        """Whether what is proposed now comes after the budget."""
        return self.spent() > self._budget.amount

    def out(self, why: str) -> OutOfBudget:
        return OutOfBudget(self.spent(), self._budget, why)

    def admit(self, ask: list[Any], states: int) -> float:
        """The seconds spent so far. Raises OutOfBudget, and AuditError. states: in use."""
        self.audit.check(self.nfe)
        return self.gate.admit(ask, self.nfe, states)

    def call(self, oracle: Callable[[], Any]) -> tuple[Any, int, Exception | None]:
        """The answer of an oracle, its evaluations, and what it raised."""
        before, raised = self._task.nfe, None
        try:
            with self.ledger.account("objective"):
                gave = oracle()
        except Exception as error:
            # an exception is part of the answer, since a replay raises it again
            raised, gave = error, ["raised", type(error).__name__, one_line(str(error))]
        finally:
            # also after a failed oracle: what it spent is spent
            cost = self._task.nfe - before
            self.nfe += cost
            self.gate.answered(cost)
            self.audit.request(cost)
        return gave, cost, raised

    def paid(self, ask: list[Any], cost: int, seconds: float) -> None:
        """A request was written down. seconds: that it took."""
        self.longest = max(self.longest, seconds)
        self.gate.paid(ask, cost)

    def replayed(self, line: Line, oracle: bool) -> None:
        """Charge what a line says. oracle: whether it is a request to one."""
        if oracle:
            self.gate.answered(line.nfe - self.nfe)
        self.audit.replayed(line.nfe)
        self.nfe = line.nfe
        # the gate before the ledger: no other thread may see the time between them as the method's
        self.gate.asked(line.accounts["method"])
        self.ledger.restore(line.accounts)

    def line(self, ask: list[Any], gave: Any) -> Line:
        """A request and its answer, with what is spent right after it."""
        line = Line(ask, gave, self.nfe, self.ledger.accounts())
        self.gate.asked(line.accounts["method"])
        return line
