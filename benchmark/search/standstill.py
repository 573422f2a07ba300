"""Whether this process stood still: stopped by a signal, frozen with its container, or asleep.

A thread wakes five times a second. Where it wakes late, either native code held the interpreter,
which is work, or nothing of this process ran. In the first case the thread asked for the
interpreter every few milliseconds, which the kernel counts as switches, or the run's own thread
used the processor; in the second neither happened.
"""

from __future__ import annotations

import resource
import sys
import threading
import time

SUPPORTED = sys.platform == "linux"
"""Other systems lack the clocks and counters that it takes."""
_EVERY = 0.2  # seconds
# seconds; a machine that is busy may be late by less
_LEAST = 1.0
# seconds between two tries to have the interpreter: Python's switch interval
_ASKS = 0.005


class Standstill:
    """How long this process stood still. For a process on the system's monotonic clock alone.

    lost: seconds while the clock went on.  slept: seconds while the machine slept and its clock
        stood still too.  times: how often either happened.  last: when the thread last woke.
    """

    def __init__(self) -> None:
        self.lost = self.slept = 0.0
        self.times = 0
        self._of = time.pthread_getcpuclockid(threading.get_ident())
        self._done, self._awake = threading.Event(), threading.Condition()
        self.last, self._asleep = time.monotonic(), _asleep()
        self._busy, self._switches = self._cpu(), 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="standstill")
        self._thread.start()

    def _cpu(self) -> float:
        return time.clock_gettime(self._of)

    def _run(self) -> None:
        self._switches = _switches()
        while not self._done.wait(_EVERY):
            self._wake()

    def _wake(self) -> None:
        now, busy, switches, asleep = time.monotonic(), self._cpu(), _switches(), _asleep()
        late = now - self.last - _EVERY
        active = max(busy - self._busy, (switches - self._switches) * _ASKS)
        # the work of native code fills most of a gap; a process that stood still shows hardly any
        if late > _LEAST and active < late / 2:
            self.lost += late - active
            self.times += 1
        if asleep - self._asleep > _LEAST:
            self.slept += asleep - self._asleep
            self.times += 1
        self._busy, self._switches, self._asleep = busy, switches, asleep
        # last, for `catch_up` waits for it and then reads what was found
        with self._awake:
            self.last = now
            self._awake.notify_all()

    def catch_up(self, now: float) -> None:
        """Wait for the thread where it is late: what it finds counts before this moment."""
        if now - self.last > _EVERY + _LEAST and not self._done.is_set():
            with self._awake:
                # a limit, for a thread that died must not hang the run
                self._awake.wait_for(lambda: self.last >= now, timeout=1.0)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    @property
    def note(self) -> str:
        """A note on a run that stood still; "" for any other."""
        if not self.times:
            return ""
        times = f"{self.times} times, " if self.times > 1 else ""
        return (
            f"the run stood still for {self.lost + self.slept:.1f} s ({times}stopped or "
            "asleep), which is charged to paused"
        )


def _switches() -> int:
    """How often this thread gave up the processor of its own will."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _asleep() -> float:
    """Seconds that the machine has been asleep since it was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
