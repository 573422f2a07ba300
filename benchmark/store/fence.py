"""What keeps a run's process from writing once another worker has its run.

Between this look and the write that follows the process may stand still: no file system has more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmark.store.lease import Leases


class Fence:
    """Called before a file of a run is written. leases: those of the worker that has the run."""

    def __init__(self, leases: Leases, folder: Path, lost: Callable[[], object]) -> None:
        """lost: called where the run is another's; it must not return."""
        self._leases, self._folder, self._lost = leases, folder, lost
        self._due = 0.0

    def look(self) -> None:
        """Now and then, and at once after this process stood still for the patience."""
        if time.monotonic() >= self._due:
            # where the lease cannot be read, nothing is known; what closes the run is strict
            try:
                self.hold()
            except OSError:
                self._due = time.monotonic() + self._leases.rest

    def hold(self) -> None:
        """Raises OSError where the lease cannot be read."""
        now = time.monotonic()
        if not self._leases.holds(self._folder):
            self._lost()
        self._due = now + self._leases.rest
