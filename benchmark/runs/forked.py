"""Runs that a fork server starts, as their supervisor sees them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from benchmark.registry import METHODS, TASKS
from benchmark.spec import RunSpec

OPENBLAS, BLAS = "OPENBLAS_NUM_THREADS", "BENCH_BLAS_THREADS"
"""The first is 1 while a server imports, so that it has no threads; the second keeps the user's."""
_PATIENCE = 30.0  # seconds for a fork, which takes some milliseconds
_END = 2.0  # seconds to end in, likewise
_POLL = 0.2  # seconds between two calls of who waits


def modules(specs: Iterable[RunSpec]) -> list[str]:
    """What runs of built-ins import; a plug-in is loaded by its own runs alone."""
    found: dict[str, None] = {}
    for spec in {(s.task, s.method): s for s in specs}.values():
        for registry, name in ((TASKS, spec.task), (METHODS, spec.method)):
            # a cluster's worker loads a plug-in only in the run's own process
            entry = registry.complete().get(name)
            if entry is not None and entry.built_in and entry.target:
                late = getattr(registry.get(name), "imports", ())
                found |= dict.fromkeys([entry.target.partition(":")[0], *late])
    return list(found)


def _ready(number: int, seconds: float | None = None) -> bool:
    """Whether a file descriptor can be read, or has ended, within that time."""
    # unlike select, for any number: a few hundred runs at a time have thousands
    found = select.poll()
    found.register(number, select.POLLIN)
    return bool(found.poll(None if seconds is None else seconds * 1000))


class Forked:
    """A run's process whose parent is the fork server: what `subprocess.Popen` is otherwise.

    status: the file descriptor that tells its number, and later how it ended.
    """

    def __init__(self, status: int, stdin: BinaryIO, waiting: Callable[[], None]) -> None:
        """waiting: called until it has started. Raises OSError where it was not started."""
        self.status, self.stdin = status, stdin
        self.returncode: int | None = None
        until = time.monotonic() + _PATIENCE
        while not (answers := _ready(status, _POLL)) and time.monotonic() < until:
            waiting()
        started = self._read() if answers else {"error": "the fork server does not answer"}
        if "pid" not in started:
            os.close(status)
            raise OSError(started.get("error", "the fork server is gone"))
        self.pid = int(started["pid"])

    def _read(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n") and (part := os.read(self.status, 1)):
            line += part
        return dict(json.loads(line)) if line else {}

    def poll(self) -> int | None:
        """Its exit status, a negative signal, or None while it runs."""
        if self.returncode is None and _ready(self.status, 0):
            # it ends with the server, by the same signal
            self.returncode = int(self._read().get("status", -signal.SIGKILL))
            os.close(self.status)
        return self.returncode

    def wait(self) -> int:
        """As `poll`, once it has ended."""
        while (code := self.poll()) is None:
            _ready(self.status)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class WarmParent:
    """A fork server.

    why: why it forks nothing; None until that is known, "" where it does.
    """

    def __init__(self, imported: Sequence[str], environment: Mapping[str, str]) -> None:
        """Raises OSError where no process can be started."""
        self.why: str | None = None
        self._said = b""
        kept = {BLAS: environment.get(OPENBLAS, ""), OPENBLAS: "1"}
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmark.runs.fork_server"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env={**environment, **kept},
            )
        # a server that is gone already is seen below
        with suppress(OSError):
            self._ours.sendall(json.dumps(list(imported)).encode() + b"\n")

    def wait(self, seconds: float) -> None:
        """For its answer, that long at most."""
        if not _ready(self._ours.fileno(), seconds):
            return
        part = b""
        with suppress(OSError):
            part = self._ours.recv(2**16)
        self._said += part
        if not part:
            self.why = f"it ended with exit status {self._process.wait()}"
        elif self._said.endswith(b"\n"):
            self.why = str(json.loads(self._said))

    def start(
        self, stdin: BinaryIO, theirs: Sequence[int], waiting: Callable[[], None] = lambda: None
    ) -> Forked:
        """A run's process. Raises OSError.

        stdin: the other end of the first of the descriptors that the process gets.  waiting: called
        until it has started.
        """
        status, written = os.pipe()
        try:
            socket.send_fds(self._ours, [b"r"], [written, *theirs])
        except OSError:
            os.close(status)
            raise
        finally:
            os.close(written)
        return Forked(status, stdin, waiting)

    @property
    def gone(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """End it; its runs have ended."""
        self._ours.close()
        try:
            self._process.wait(_END)
        # a thread of what it imports may never end
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
