"""Many runs: each in a fresh process, several at a time if asked, with a watchdog that does not depend on them.

A run that does not stop by itself gets SIGTERM once its budget and the grace are over, and after another grace its whole
process group gets SIGKILL. A process that ends without having stored how its run ended leaves a failed run.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import StorageError
from benchmark.plan import RunSpec
from benchmark.store import Store
from benchmark.worker import INTERRUPTED, STORAGE

_POLL = 0.2  # seconds between two looks at the clock
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """How runs are carried out; no part of their identity.

    devices: one run at a time on each, `jobs` of them on a CPU.  grace: seconds.  plugins: files to load.
    """

    devices: tuple[str, ...] = ("cpu",)
    jobs: int = 1
    grace: float = 30.0
    quiet: bool = False
    plugins: tuple[Path, ...] = ()

    @property
    def slots(self) -> tuple[str, ...]:
        return self.devices * self.jobs if self.devices == ("cpu",) else self.devices


@dataclass
class Child:
    """A run's process. deadline: when the watchdog acts, by the monotonic clock; termed: whether SIGTERM was sent."""

    spec: RunSpec
    slot: str
    process: subprocess.Popen[bytes]
    events: int
    held: ExitStack
    buffer: bytes = b""
    deadline: float | None = None
    termed: bool = False
    killed: bool = False

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def hear(self, grace: float) -> None:
        """Take what the run has said: while it searches, its budget runs; else there is no deadline."""
        with suppress(BlockingIOError):
            self.buffer += os.read(self.events, 65536)
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            name, left = json.loads(line)
            if not self.termed:
                search = name == "search" and left is not None
                self.deadline = time.monotonic() + max(0.0, left) + grace if search else None

    def watch(self, grace: float) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            if self.termed:
                self.killed = True
                self.signal(signal.SIGKILL)
            else:
                self.signal(signal.SIGTERM)
            self.termed, self.deadline = True, time.monotonic() + grace


@dataclass
class Supervisor:
    """Carries out runs that are not stored yet; what another process is at work on is left to it, and awaited."""

    store: Store
    settings: Settings
    children: list[Child] = field(default_factory=list)
    stopping: int = 0
    failed: int = 0
    broken: str = ""

    def __call__(self, specs: Sequence[RunSpec]) -> None:
        """Returns when all are stored, or when the user or the disk stopped it: see `stopping` and `broken`."""
        waiting = list(specs)
        before = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            while (waiting or self.children) and not self.broken:
                if self.stopping and not self.children:
                    return
                if not self.stopping:
                    waiting = self._start(waiting)
                self._wait()
        finally:
            for child in self.children:
                child.signal(signal.SIGKILL)
                child.process.wait()
                child.held.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping += 1
        for child in self.children:
            child.signal(signal.SIGINT if self.stopping == 1 else signal.SIGKILL)
        if self.stopping == 1 and self.children:
            print("\nstopping: storing what there is; once more stops at once", file=sys.stderr)

    def _start(self, waiting: list[RunSpec]) -> list[RunSpec]:
        """Begin as many as there is room for; returns those that still wait, of which others may hold some."""
        free = list(self.settings.slots)
        for child in self.children:
            free.remove(child.slot)
        left: list[RunSpec] = []
        for k, spec in enumerate(waiting):
            if not free or self.broken or self.stopping:
                return left + waiting[k:]
            held = ExitStack()
            try:
                lock = held.enter_context(self.store.lock(spec))
                found = self.store.find(spec)
                if lock is None:
                    left.append(spec)
                elif found is None or found.open:
                    self.children.append(self._spawn(spec, free.pop(0), lock, held.pop_all()))
            except StorageError as error:
                self.broken = str(error)
            finally:
                held.close()
        return left

    def _spawn(self, spec: RunSpec, slot: str, lock: int, held: ExitStack) -> Child:
        if not self.settings.quiet and len(self.settings.slots) > 1:
            print(f"begun: {label(spec)}", file=sys.stderr, flush=True)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        environment = dict(os.environ)
        if len(self.settings.slots) > 1 and not any(name in environment for name in _THREADS):
            share = max(1, (os.cpu_count() or 1) // len(self.settings.slots))
            environment |= dict.fromkeys(_THREADS, str(share))
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.worker"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            start_new_session=True, pass_fds=(writer, lock), env=environment,
        )  # fmt: skip
        os.close(writer)
        job: dict[str, Any] = {
            "spec": spec.as_json(), "out": str(self.store.root.absolute()), "device": slot, "events": writer,
            "quiet": self.settings.quiet or len(self.settings.slots) > 1,
            "plugins": [str(p.absolute()) for p in self.settings.plugins], "about": {"jobs": len(self.settings.slots)},
        }  # fmt: skip
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        return Child(spec, slot, process, reader, held)

    def _wait(self) -> None:
        """Until something may have changed."""
        if not self.children:
            time.sleep(_POLL)
            return
        with selectors.DefaultSelector() as selector:
            for child in self.children:
                selector.register(child.events, selectors.EVENT_READ, child)
            for key, _ in selector.select(_POLL):
                key.data.hear(self.settings.grace)
        for child in list(self.children):
            child.watch(self.settings.grace)
            if child.process.poll() is not None:
                self._ended(child)

    def _ended(self, child: Child) -> None:
        self.children.remove(child)
        child.signal(signal.SIGKILL)  # whatever it left behind
        os.close(child.events)
        if child.process.stdin is not None:
            with suppress(BrokenPipeError):
                child.process.stdin.close()
        code = child.process.returncode
        try:
            if code == STORAGE:
                self.broken = f"the output of {label(child.spec)} cannot be written"
            elif child.termed or not (code == INTERRUPTED or (self.stopping and code == -signal.SIGKILL)):
                found = self.store.find(child.spec)
                if found is None or found.open:
                    self.store.fail(child.spec, self._why(child, code))
        except StorageError as error:
            self.broken = str(error)
        finally:
            child.held.close()
        if not self.settings.quiet and len(self.settings.slots) > 1 and not self.broken:
            found = self.store.find(child.spec)
            print(f"{found.run['status'] if found else 'not stored'}: {label(child.spec)}", file=sys.stderr, flush=True)

    def _why(self, child: Child, code: int) -> str:
        if child.killed:
            return (
                f"Killed: it stopped neither at its budget nor within {self.settings.grace:g} s of SIGTERM, which came "
                f"{self.settings.grace:g} s after that"
            )
        if code < 0:
            return f"Died: its process was killed by {signal.Signals(-code).name}, not by the suite"
        return f"Died: its process ended with exit status {code} and stored no result"


def label(spec: RunSpec) -> str:
    return " ".join(filter(None, (spec.task, spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)))
