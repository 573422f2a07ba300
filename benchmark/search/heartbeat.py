"""The heartbeat of a run whose budget is in evaluations: how long its method may still compute."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

_EVERY = 0.2  # seconds


class Paced:
    """Calls `beat` when it is called itself, unless it has just done so."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self._last = beat, -math.inf

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last > _EVERY:
            self._beat()
            self._last = now


class Heartbeat:
    """Sends a watchdog the seconds that are left.

    From a thread, for an oracle may work for hours, and a method that hangs sends nothing. Where
    native code holds the interpreter the thread is silent too, and its last message counts.

    computing: seconds since the method was last answered.  over: whether a replay has come to its
        end, after which the method's time is charged nowhere.  send: takes the seconds.
    """

    def __init__(
        self,
        computing: Callable[[], float],
        over: Callable[[], bool],
        idle: float,
        send: Callable[[float], None],
    ) -> None:
        self._computing, self._over, self._idle, self._send = computing, over, idle, send
        self._since: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def left(self) -> float:
        """Seconds that the method may still compute; negative where they are over."""
        if not self._over():
            return self._idle - max(0.0, self._computing())
        # after a replayed end the ledger charges the method nothing, so the time is taken here
        self._since = self._since or time.monotonic()
        return self._idle - (time.monotonic() - self._since)

    def _run(self) -> None:
        while not self._done.wait(_EVERY):
            # once the time is up, silence lets the watchdog act: a message would prolong the run
            if (left := self.left()) > 0:
                self._send(left)

    def __enter__(self) -> Heartbeat:
        self._send(self._idle)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is sent after this."""
        self._done.set()
        self._thread.join()
