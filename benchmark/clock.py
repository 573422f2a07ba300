"""Time: an injected monotonic clock, and exclusive accounts that add up to the wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from benchmark.beats import Beats
from benchmark.device import synchronize

Clock = Callable[[], float]
"""Seconds from any fixed moment; never goes back."""

ACCOUNTS = ("setup", "warmup", "method", "objective", "report", "io", "paused")
SPENT = ("method", "objective")


class Ledger:
    """Charges every moment to exactly one account. The device is synchronised before each read.

    beats: notices when this process stood still, which is charged to `paused`; the clock stands still by itself while the
    machine sleeps.
    opened: the account that is charged first.  paused: seconds from before, of a run that goes on where it was cut short.
    """

    def __init__(
        self, clock: Clock = time.monotonic, opened: str = "setup", paused: float = 0.0, beats: Beats | None = None
    ) -> None:
        self._clock, self._beats = clock, beats
        self._lost = self._slept = 0.0
        self._open = opened
        self._accounts = dict.fromkeys(ACCOUNTS, 0.0) | {"paused": paused}
        self._began = self._since = clock()
        self._restored = 0.0

    def _settle(self) -> None:
        synchronize()
        now = self._clock()
        lost = slept = 0.0
        if self._beats is not None:
            self._beats.see(now)
            lost, slept = self._beats.lost - self._lost, self._beats.slept - self._slept
        before, self._since = self._since, now  # in this order: see `worked`
        self._lost, self._slept = self._lost + lost, self._slept + slept
        lost = min(lost, now - before)
        self._accounts[self._open] += now - before - lost
        self._accounts["paused"] += lost + slept

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`; what encloses it gets the rest."""
        if name not in self._accounts:
            raise ValueError(f"account: expected one of {', '.join(ACCOUNTS)}, got {name!r}")
        outer = self._open
        self.become(name)
        try:
            yield
        finally:
            self.become(outer)

    def become(self, name: str) -> None:
        """From here on charge to `name` instead of to the account that is open."""
        self._settle()
        self._open = name

    def restore(self, accounts: Mapping[str, float]) -> None:
        """What the accounts held at a moment of an earlier process; what this one has charged since goes to `paused`."""
        kept = {name: accounts[name] for name in ACCOUNTS if name != "paused"}
        self._accounts["paused"] += sum(self._accounts[name] for name in kept) - self._restored
        self._accounts |= kept
        self._restored = sum(kept.values())

    def accounts(self) -> dict[str, float]:
        """Seconds by account, up to now."""
        self._settle()
        return dict(self._accounts)

    def spent(self) -> float:
        """Seconds that count against a budget: method + objective."""
        accounts = self.accounts()
        return sum(accounts[name] for name in SPENT)

    def worked(self, name: str) -> float:
        """Seconds of one account up to now, for another thread: it changes nothing, and may miss what is being added."""
        while True:
            since = self._since
            lost = self._beats.lost - self._lost if self._beats is not None else 0.0
            found = self._accounts[name] + (max(0.0, self._clock() - since - lost) if self._open == name else 0.0)
            if since == self._since:
                return found

    def elapsed(self) -> float:
        """Seconds from its opening to the latest reading, by the clock alone: what the accounts are checked against."""
        return self._since - self._began + self._slept
