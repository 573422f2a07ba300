"""Time: an injected monotonic clock, and exclusive accounts that add up to the wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from benchmark.budget import ACCOUNTS, SPENT
from benchmark.device import synchronize
from benchmark.search.standstill import Standstill

Clock = Callable[[], float]
"""Seconds from any fixed moment; never goes back."""


class Ledger:
    """Charges every moment to exactly one account. The device is synchronised before each read.

    standstill: notices when this process stood still, which is charged to `paused`; while the
        machine sleeps the clock itself stands still.
    opened: the account that is charged first.  paused: seconds from before, of a resumed run.
    """

    def __init__(
        self,
        clock: Clock = time.monotonic,
        opened: str = "setup",
        paused: float = 0.0,
        standstill: Standstill | None = None,
    ) -> None:
        self._clock, self._standstill = clock, standstill
        self._simulated: Clock = lambda: 0.0
        self._lost = self._slept = 0.0
        self._open = opened
        self._accounts = dict.fromkeys(ACCOUNTS, 0.0) | {"paused": paused}
        self._began = self._since = clock()
        self._restored = 0.0

    def simulate(self, seconds: Clock) -> None:
        """Add the seconds that a simulation has taken so far, from here on; none yet."""
        self._simulated = seconds

    def _settle(self) -> None:
        # kernels that are still at work belong to the account that launched them
        synchronize()
        real = self._clock()
        now = real + self._simulated()
        lost = slept = 0.0
        if self._standstill is not None:
            self._standstill.catch_up(real)
            lost, slept = self._standstill.lost - self._lost, self._standstill.slept - self._slept
        # `worked` runs in another thread and takes a changed `_since` for a sign to read again, so
        # this comes before the accounts change
        before, self._since = self._since, now
        self._lost, self._slept = self._lost + lost, self._slept + slept
        # a gap is measured from the thread's wake-ups, so it may seem longer than the interval
        lost = min(lost, now - before)
        self._accounts[self._open] += now - before - lost
        # the monotonic clock stood still while the machine slept: that time is not in `now` at all
        self._accounts["paused"] += lost + slept

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`; what encloses it gets the rest."""
        if name not in self._accounts:
            raise ValueError(f"account: expected one of {', '.join(ACCOUNTS)}, got {name!r}")
        outer = self._open
        self.switch(name)
        try:
            yield
        finally:
            self.switch(outer)

    def switch(self, name: str) -> None:
        """From here on charge to `name` instead of to the account that is open."""
        self._settle()
        self._open = name

    def restore(self, accounts: Mapping[str, float]) -> None:
        """Set the accounts to an earlier process's. What this one has charged goes to `paused`."""
        earlier = {name: accounts[name] for name in ACCOUNTS if name != "paused"}
        # each line of a journal restores again: what the last one set is not this process's time
        self._accounts["paused"] += sum(self._accounts[name] for name in earlier) - self._restored
        self._accounts |= earlier
        self._restored = sum(earlier.values())

    def accounts(self) -> dict[str, float]:
        """Seconds by account, up to now."""
        self._settle()
        return dict(self._accounts)

    def spent(self) -> float:
        """Seconds that count against a budget: method + objective."""
        accounts = self.accounts()
        return sum(accounts[name] for name in SPENT)

    def worked(self, name: str) -> float:
        """Seconds of one account up to now, for another thread. May miss what is being added."""
        # no lock, which the search would wait for: a torn reading is repeated
        while True:
            since = self._since
            lost = self._standstill.lost - self._lost if self._standstill is not None else 0.0
            now = self._clock() + self._simulated()
            running = max(0.0, now - since - lost) if self._open == name else 0.0
            seconds = self._accounts[name] + running
            if since == self._since:
                return seconds

    def elapsed(self) -> float:
        """Seconds from the start to the latest reading, by the clock alone, for the audit."""
        return self._since - self._began + self._slept
