"""Limits beside a budget, for oracles that are free and for methods that compute for ever. No part of a run's identity."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.budget import OutOfBudget


class Guarded(OutOfBudget):
    """A limit was reached: the search ends with what it has."""


@dataclass(frozen=True)
class Guard:
    """What a search may not go beyond, whatever its budget.

    requests: in a row without a network evaluation, and idle: seconds of the method's own computing between two requests;
    both where the budget is in evaluations, for seconds run out by themselves.
    journal: bytes of it; half of what is read back.  states: in use at once.  disk: bytes of states that are kept there.
    """

    requests: int = 20_000
    idle: float = 600.0
    journal: int = 2**29
    states: int = 10_000
    disk: int = 2**32

    def check_size(self, journal: int, states: int, disk: int) -> None:
        """Raises Guarded."""
        if journal >= self.journal:
            raise Guarded(f"guard: a journal of {self.journal} bytes")
        if states >= self.states:
            raise Guarded(f"guard: {self.states} states in use")
        if disk >= self.disk:
            raise Guarded(f"guard: {self.disk} bytes of states kept on the disk")

    def check_progress(self, requests: int, idle: float) -> None:
        """Raises Guarded."""
        if requests >= self.requests:
            raise Guarded(f"guard: {self.requests} requests in a row without a network evaluation")
        if idle >= self.idle:
            raise Guarded(self.idled)

    @property
    def idled(self) -> str:
        return f"guard: {self.idle:g} s of computing without a request"
