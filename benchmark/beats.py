"""Whether this process stood still: stopped by a signal, frozen with its container, asleep with the machine.

A thread beats five times a second. Where a beat comes late, either native code held the interpreter, which is work, or nothing
of this process ran. In the first case the thread asked for the interpreter every few milliseconds, which the kernel
counts as switches, or the run's own thread used the processor; in the second neither happened.
"""

from __future__ import annotations

import resource
import sys
import threading
import time

SUPPORTED = sys.platform == "linux"
"""Other systems lack the clocks and counters that it takes."""
_EVERY = 0.2  # seconds
_LEAST = 1.0  # seconds; a machine that is busy may be late by less
_ASKS = 0.005  # seconds between two tries to have the interpreter


class Beats:
    """lost: seconds that this process stood still while the clock went on; slept: those of the machine, when it did not.

    times: how often.  last: when the latest beat was. Of a process whose clock is not the system's none are made.
    """

    def __init__(self) -> None:
        self.lost = self.slept = 0.0
        self.times = 0
        self._of = time.pthread_getcpuclockid(threading.get_ident())
        self._done, self._beaten = threading.Event(), threading.Condition()
        self.last, self._asleep, self._busy, self._switches = time.monotonic(), _asleep(), self._cpu(), 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="beats")
        self._thread.start()

    def _cpu(self) -> float:
        return time.clock_gettime(self._of)

    def _run(self) -> None:
        self._switches = _switches()
        while not self._done.wait(_EVERY):
            self._beat()

    def _beat(self) -> None:
        now, busy, switches, asleep = time.monotonic(), self._cpu(), _switches(), _asleep()
        late = now - self.last - _EVERY
        active = max(busy - self._busy, (switches - self._switches) * _ASKS)
        if late > _LEAST and active < late / 2:
            self.lost += late - active
            self.times += 1
        if asleep - self._asleep > _LEAST:
            self.slept += asleep - self._asleep
            self.times += 1
        self._busy, self._switches, self._asleep = busy, switches, asleep
        with self._beaten:
            self.last = now
            self._beaten.notify_all()

    def see(self, now: float) -> None:
        """Wait for a beat that is late: what it finds counts before this moment."""
        if now - self.last > _EVERY + _LEAST and not self._done.is_set():
            with self._beaten:
                self._beaten.wait_for(lambda: self.last >= now, timeout=1.0)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    @property
    def note(self) -> str:
        """What to say of a run that stood still; "" for any other."""
        if not self.times:
            return ""
        times = f"{self.times} times, " if self.times > 1 else ""
        return f"the run stood still for {self.lost + self.slept:.1f} s ({times}stopped or asleep), which is charged to paused"


def _switches() -> int:
    """How often this thread gave up the processor of its own will."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _asleep() -> float:
    """Seconds that the machine has been asleep since it was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
