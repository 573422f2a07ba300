"""Signs of life of a run whose budget is in evaluations: how long its method may go on computing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_EVERY = 0.2  # seconds


class Pulse:
    """Tells a watchdog the seconds that are left, from a thread: an oracle may work for hours, and a method that hangs is silent.

    Where native code holds the interpreter the thread is silent too, and what it said last goes on to count.
    computing: seconds since the method was last answered.  over: whether a replay has come to its end, after which the
    method's time is charged nowhere.
    """

    def __init__(
        self, computing: Callable[[], float], over: Callable[[], bool], idle: float, tell: Callable[[float], None]
    ) -> None:
        self._computing, self._over, self._idle, self._tell = computing, over, idle, tell
        self._since: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def left(self) -> float:
        if not self._over():
            return self._idle - max(0.0, self._computing())
        self._since = self._since or time.monotonic()
        return self._idle - (time.monotonic() - self._since)

    def _run(self) -> None:
        while not self._done.wait(_EVERY):
            if (left := self.left()) > 0:  # past that silence tells it: whatever is told now would count from now on
                self._tell(left)

    def __enter__(self) -> Pulse:
        self._tell(self._idle)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is told after this."""
        self._done.set()
        self._thread.join()
