"""How many runs shared the machine, whoever started them."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import psutil

from benchmark.search.clock import Ledger

# seconds between two looks, or more where looking is slow
_EVERY = 3.0
# of the time, at most, for looking
_SHARE = 0.005
_COMMAND = ["-m", "benchmark.runs.worker"]
FORK = "bench-run"
"""The name of a process that a fork server has forked for a run."""


def workers() -> set[int]:
    """The sessions of all runs that are alive on this machine; each worker process has one."""
    sessions = set()
    for process in psutil.process_iter(["cmdline", "name"]):
        words = process.info["cmdline"] or []
        forked = process.info["name"] == FORK
        if forked or any(words[k : k + 2] == _COMMAND for k in range(1, len(words))):
            # sessions, since a method's forks have the same command line as their worker
            with suppress(OSError):
                sessions.add(os.getsid(process.pid))
    return sessions


class Neighbours:
    """most: how many runs were seen at once at most, this one included."""

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
