"""The audit: network evaluations against the task's own counter, accounts against the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmark.protocol import Task

# accounts may miss the wall time by this share of it, or by these seconds
_SHARE, _SECONDS = 0.01, 0.010


class AuditError(BaseException):
    """A run's evaluations or seconds are not those that were counted.

    No Exception, so that a method's `except Exception` around an evaluation does not swallow it.
    """


class Audit:
    """A second count of a run's evaluations: what moves the task's counter must be a request or the
    harness's own use.

    counted: by requests.  elsewhere: what the task's counter holds besides; negative after a
        replay, whose evaluations another process made.
    """

    def __init__(self, task: Task[Any]) -> None:
        self._task, self._elsewhere, self._counted = task, task.nfe, 0
        self._error = ""

    def check(self, metered: int) -> None:
        """metered: the meter's count. Raises AuditError, then again each time it is called."""
        beside = self._task.nfe - self._elsewhere - self._counted
        if metered == self._counted and not beside and not self._error:
            return
        # a method could swallow even this error and set the counter back: so it is remembered
        if not self._error:
            self._error = (
                f"the task counted {self._counted + beside} network evaluations, the meter "
                f"{metered} of {self._counted} in requests; a method spends evaluations by its "
                "problem's oracles alone"
            )
        raise AuditError(self._error)

    def request(self, nfe: int) -> None:
        """A request has just cost so much. Raises AuditError where the counter went back."""
        self._counted += nfe
        if nfe < 0:
            back = f"a request took the task's counter back by {-nfe} network evaluations"
            self._error = self._error or back
            raise AuditError(self._error)

    def replayed(self, nfe: int) -> None:
        """So much had been counted when a request was answered the first time."""
        self._elsewhere -= nfe - self._counted
        self._counted = nfe

    @contextmanager
    def own(self) -> Iterator[None]:
        """Evaluations inside are the harness's: states that are computed again, or packed."""
        before = self._task.nfe
        try:
            yield
        finally:
            self._elsewhere += self._task.nfe - before


def balanced(accounts: Mapping[str, float], wall: float) -> None:
    """Raises AuditError where the accounts do not sum to the wall time."""
    total = sum(accounts.values())
    # `not ... <=`, so that a NaN fails too
    if not abs(total - wall) <= max(_SHARE * wall, _SECONDS) or min(accounts.values()) < 0:
        raise AuditError(f"the accounts sum to {total:.3f} s, the clock says {wall:.3f} s")
