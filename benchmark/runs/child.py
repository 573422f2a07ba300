"""A run's process as its supervisor sees it: its events, its output, and when to stop it."""

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
from typing import Any

from benchmark.runs.forked import Forked
from benchmark.spec import RunSpec

# reads of 64 KiB at one look: a process that writes without end must not keep the others waiting
_READS = 16
# bytes that are shown of what a quiet run prints
_PASSED_ON = 2**16
# seconds between two looks; where there are more, this process itself stood still
_LATE = 2.0


def label(spec: RunSpec) -> str:
    return " ".join(
        filter(None, (spec.task, spec.method, spec.lower, f"seed {spec.seed}", spec.prompt))
    )


def _event(line: bytes) -> tuple[str, Any] | None:
    """A run's event, or None for another line: its method can write to the descriptor too."""
    try:
        name, left = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    # `type`, not `isinstance`: true would count as a second
    number = type(left) in (int, float) and math.isfinite(left)
    fits = {
        "search": number,
        "measure": left is None,
        "refused": isinstance(left, str),
        "progress": isinstance(left, list) and _is_progress(left),
    }
    return (name, left) if isinstance(name, str) and fits.get(name, False) else None


def _is_progress(found: list[Any]) -> bool:
    """Phase, what is spent, and the F of what stands or None."""
    if len(found) != 3 or not isinstance(found[0], str):
        return False
    numbers = [v for v in found[1:] if v is not None]
    finite = all(type(v) in (int, float) and math.isfinite(v) for v in numbers)
    return finite and found[1] is not None


@dataclass
class Child:
    """A run's process, and when the watchdog acts on it.

    events, prints: file descriptors of its events and its output; None where it prints itself.
    deadline: when the watchdog acts, by the monotonic clock.  termed: whether SIGTERM was sent.
    lost: whether another worker has the run now.
    held: releases the run's lock.  progress: its phase, what it has spent, the F of what stands.
    """

    spec: RunSpec
    slot: str
    process: subprocess.Popen[bytes] | Forked
    events: int
    held: ExitStack
    prints: int | None = None
    buffer: bytes = b""
    deadline: float | None = None
    termed: bool = False
    killed: bool = False
    lost: bool = False
    refused: str = ""
    progress: tuple[str, float, float | None] = ("starting", 0.0, None)
    began: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)
    stopped: bool = False
    _ended: set[int] = field(default_factory=set)
    _garbage: int = 0
    _passed: int = 0
    _dropped: int = 0

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            # SIGKILL is for all that a method started; others are for the run, which ends the rest
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    @property
    def listening(self) -> list[int]:
        """The file descriptors that are still open at the other end; a method may close them."""
        own = [n for n in (self.events, self.prints) if n is not None and n not in self._ended]
        if isinstance(self.process, Forked) and self.process.returncode is None:
            own.append(self.process.status)
        return own

    def _read(self, number: int) -> bytes:
        content = b""
        with suppress(BlockingIOError):
            for _ in range(_READS):
                # an empty read is the end: a selector would report it without a pause for ever
                if not (part := os.read(number, 2**16)):
                    self._ended.add(number)
                    break
                content += part
        return content

    def hear(self, grace: float) -> None:
        """Read the run's events. There is a deadline only while it searches."""
        *lines, self.buffer = (self.buffer + self._read(self.events)).split(b"\n")
        for line in filter(None, lines):
            event = _event(line)
            if event is None:
                self._garbage += 1
            elif event[0] == "progress":
                self.progress = (event[1][0], float(event[1][1]), event[1][2])
            elif event[0] == "refused":
                self.refused = str(event[1])
            elif event[0] == "measure":
                self.deadline = None
            # after SIGTERM no event prolongs the search: its deadline is that of SIGKILL
            elif not self.termed:
                self.deadline = time.monotonic() + max(0.0, float(event[1] or 0.0)) + grace
        # a line without an end is no event, and must not fill this process's memory
        if len(self.buffer) > _PASSED_ON:
            self.buffer, self._garbage = b"", self._garbage + 1
        self._pass_on()

    def _pass_on(self) -> None:
        # read to the end all the same: a full pipe would stop the run
        content = self._read(self.prints) if self.prints is not None else b""
        shown = content[: _PASSED_ON - self._passed]
        self._passed += len(shown)
        self._dropped += len(content) - len(shown)
        if shown:
            with suppress(OSError, ValueError):
                print(shown.decode(errors="replace"), end="", file=sys.stderr, flush=True)

    def watch(self, grace: float) -> None:
        """Act where the deadline is over: SIGTERM first, and SIGKILL after another grace."""
        now = time.monotonic()
        since, self.looked = now - self.looked, now
        if self.deadline is None:
            return
        # time in which the run, or this process, stood still is nobody's
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
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
            # the state follows the command's name, which may itself hold brackets
            state = stat.rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        if state in "Tt" and not self.stopped:
            self.stopped = True
            what = "was stopped from outside; its clock stands still until it goes on (SIGCONT)"
            print(f"bench: {label(self.spec)} {what}", file=sys.stderr, flush=True)
        return state in "Tt"

    def close(self) -> None:
        """After its end. Reports what was dropped or ignored."""
        os.close(self.events)
        if self.prints is not None:
            os.close(self.prints)
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        if self._dropped:
            shown = f"{_PASSED_ON >> 10} KiB of what it printed are shown"
            self._report(f"{shown}, {self._dropped} bytes more were dropped")
        if self._garbage:
            what = f"wrote {self._garbage} lines to a file descriptor that is the suite's"
            self._report(f"its method {what}; they were ignored")

    def _report(self, text: str) -> None:
        print(f"bench: {label(self.spec)}: {text}", file=sys.stderr)
