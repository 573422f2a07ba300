"""A run's process as its supervisor sees it: what it says, what it prints, and when it is to be stopped."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.plan import RunSpec

_READS = 16  # of 64 KiB each at one look, so that one that talks without end does not keep the others waiting
_PASSED_ON = 2**16  # bytes of what a quiet run prints
_LATE = 2.0  # seconds between two looks, from where this process itself stood still


def label(spec: RunSpec) -> str:
    return " ".join(filter(None, (spec.task, spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)))


def _event(line: bytes) -> tuple[str, float | str | None] | None:
    """What a run says, or None for what it does not: a method has all of its process's file descriptors."""
    try:
        name, left = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    number = type(left) in (int, float) and math.isfinite(left)
    fits = {"search": number, "measure": left is None, "refused": isinstance(left, str)}
    return (name, left) if isinstance(name, str) and fits.get(name, False) else None


@dataclass
class Child:
    """deadline: when the watchdog acts, by the monotonic clock; termed: whether SIGTERM was sent.

    prints: where what it prints comes, or None where it prints by itself.
    """

    spec: RunSpec
    slot: str
    process: subprocess.Popen[bytes]
    events: int
    held: ExitStack
    prints: int | None = None
    buffer: bytes = b""
    deadline: float | None = None
    termed: bool = False
    killed: bool = False
    refused: str = ""
    looked: float = field(default_factory=time.monotonic)
    stopped: bool = False
    _ended: set[int] = field(default_factory=set)
    _garbage: int = 0
    _passed: int = 0
    _dropped: int = 0

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    @property
    def listening(self) -> list[int]:
        """The file descriptors that may have more to say; a method may close its ends."""
        return [n for n in (self.events, self.prints) if n is not None and n not in self._ended]

    def _read(self, number: int) -> bytes:
        found = b""
        with suppress(BlockingIOError):
            for _ in range(_READS):
                if not (part := os.read(number, 2**16)):
                    self._ended.add(number)
                    break
                found += part
        return found

    def hear(self, grace: float) -> None:
        """Take what the run has said: while it searches, its budget runs; else there is no deadline."""
        *lines, self.buffer = (self.buffer + self._read(self.events)).split(b"\n")
        for line in filter(None, lines):
            found = _event(line)
            if found is None:
                self._garbage += 1
            elif found[0] == "refused":
                self.refused = str(found[1])
            elif found[0] == "measure":
                self.deadline = None
            elif not self.termed:
                self.deadline = time.monotonic() + max(0.0, float(found[1] or 0.0)) + grace
        if len(self.buffer) > _PASSED_ON:
            self.buffer, self._garbage = b"", self._garbage + 1
        self._pass_on()

    def _pass_on(self) -> None:
        found = self._read(self.prints) if self.prints is not None else b""
        shown = found[: _PASSED_ON - self._passed]
        self._passed += len(shown)
        self._dropped += len(found) - len(shown)
        if shown:
            with suppress(OSError, ValueError):
                print(shown.decode(errors="replace"), end="", file=sys.stderr, flush=True)

    def watch(self, grace: float) -> None:
        now = time.monotonic()
        since, self.looked = now - self.looked, now
        if self.deadline is None:
            return
        if self._stands_still() or since > _LATE:
            self.deadline += since
        elif now > self.deadline:
            if self.termed:
                self.killed = True
                self.signal(signal.SIGKILL)
            else:
                self.signal(signal.SIGTERM)
            self.termed, self.deadline = True, now + grace

    def _stands_still(self) -> bool:
        """Whether somebody has stopped it (Linux): that is no fault of its method."""
        try:
            state = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        if state in "Tt" and not self.stopped:
            self.stopped = True
            said = "was stopped from outside; its clock stands still until it goes on (SIGCONT)"
            print(f"bench: {label(self.spec)} {said}", file=sys.stderr, flush=True)
        return state in "Tt"

    def close(self) -> None:
        """After its end, with what is still to be said of it."""
        os.close(self.events)
        if self.prints is not None:
            os.close(self.prints)
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        if self._dropped:
            kept = f"{_PASSED_ON >> 10} KiB of what it printed are shown (--quiet)"
            print(f"bench: {label(self.spec)}: {kept}, {self._dropped} bytes more were dropped", file=sys.stderr)
        if self._garbage:
            said = f"wrote {self._garbage} lines to a file descriptor that is the suite's; they were ignored"
            print(f"bench: {label(self.spec)}: its method {said}", file=sys.stderr)
