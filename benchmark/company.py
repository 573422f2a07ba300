"""Which runs shared the machine with others, whoever started them."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import psutil

from benchmark.clock import Ledger

_EVERY = 3.0  # seconds between two looks, or more where looking is slow
_SHARE = 0.005  # of the time, at most, for looking
_COMMAND = ["-m", "benchmark.worker"]


def workers() -> set[int]:
    """The sessions of all runs in processes of their own that are alive on this machine; each run has one."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(words[k : k + 2] == _COMMAND for k in range(1, len(words))):
            with suppress(OSError):
                found.add(os.getsid(process.pid))
    return found


class Company:
    """most: the most runs that were seen at work at once, this one included."""

    def __init__(self, ledger: Ledger, most: int) -> None:
        self._ledger, self.most = ledger, most
        self._due = 0.0

    def look(self, now: bool = False) -> None:
        """Count them, unless that was just done. Charged to io."""
        began = time.monotonic()
        if not now and began < self._due:
            return
        with self._ledger.account("io"):
            self.most = max(self.most, 1 + len(workers() - {os.getsid(0)}))
        self._due = began + max(_EVERY, (time.monotonic() - began) / _SHARE)
