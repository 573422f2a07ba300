"""Limits beside a budget, for free oracles and endless computing. No part of a run's identity."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.budget import Budget, OutOfBudget


class Guarded(OutOfBudget):
    """A limit was reached: the search ends with what it has. Its text is the reason alone."""

    def __init__(self, spent: float, budget: Budget, reason: str) -> None:
        super().__init__(spent, budget)
        # the parent's text speaks of a budget that is spent, which this one is not
        self.args = (reason,)


@dataclass(frozen=True)
class Guard:
    """What a search may not go beyond, whatever its budget.

    requests: in a row without a network evaluation, and idle: seconds of the method's own computing
    between two requests; both where the budget is in evaluations, for seconds run out by
    themselves.
    journal: its bytes; half of the limit up to which a journal is read back, so that a guarded run
        can still be resumed.  states: in use at once.  disk: bytes of checkpoints.
    """

    requests: int = 20_000
    idle: float = 600.0
    journal: int = 2**29
    states: int = 10_000
    disk: int = 2**32

    def too_large(self, journal: int, states: int, disk: int) -> str:
        """The limit of size that is reached, or ""."""
        if journal >= self.journal:
            return f"guard: a journal of {self.journal} bytes"
        if states >= self.states:
            return f"guard: {self.states} states in use"
        return f"guard: {self.disk} bytes of checkpoints" if disk >= self.disk else ""

    def no_progress(self, requests: int, idle: float) -> str:
        """The limit of progress that is reached, or ""."""
        if requests >= self.requests:
            return f"guard: {self.requests} requests in a row without a network evaluation"
        return self.idled if idle >= self.idle else ""

    @property
    def idled(self) -> str:
        return f"guard: {self.idle:g} s of computing without a request"
