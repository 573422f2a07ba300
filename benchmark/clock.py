"""Time: an injected monotonic clock, and exclusive accounts that add up to the wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmark.device import synchronize

Clock = Callable[[], float]
"""Seconds from any fixed moment; never goes back."""

ACCOUNTS = ("setup", "warmup", "method", "objective", "report", "io", "paused")


class Ledger:
    """Charges every moment to exactly one account, beginning with `setup`. The device is synchronised before each read."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._open = "setup"
        self._accounts = dict.fromkeys(ACCOUNTS, 0.0)
        self.began = self._since = clock()

    def _settle(self) -> None:
        synchronize()
        now = self._clock()
        self._accounts[self._open] += now - self._since
        self._since = now

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`; what encloses it gets the rest."""
        if name not in self._accounts:
            raise ValueError(f"account: expected one of {', '.join(ACCOUNTS)}, got {name!r}")
        self._settle()
        outer, self._open = self._open, name
        try:
            yield
        finally:
            self._settle()
            self._open = outer

    def accounts(self) -> dict[str, float]:
        """Seconds by account, up to now."""
        self._settle()
        return dict(self._accounts)

    def spent(self) -> float:
        """Seconds that count against a budget: method + objective."""
        accounts = self.accounts()
        return accounts["method"] + accounts["objective"]
