"""Many runs: each in a fresh process, several at a time if asked, with a watchdog that does not depend on them.

A run that does not stop by itself gets SIGTERM once its budget and the grace are over (where that is in evaluations: once
its method has asked for nothing for the idle time and the grace), and after another grace its whole process group gets
SIGKILL. A process that ends without having stored how its run ended leaves a failed run.
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

from benchmark.budget import Budget
from benchmark.child import Child, label
from benchmark.errors import StorageError, UsageError, one_line
from benchmark.guard import Guard
from benchmark.plan import RunSpec
from benchmark.store import Store
from benchmark.worker import INTERRUPTED, REFUSED, SIGNALS, STORAGE

_POLL = 0.2  # seconds between two looks at the clock
_STOPPED = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """How runs are carried out; no part of their identity.

    devices: one run at a time on each, `jobs` of them on a CPU.  grace: seconds.  plugins: files to load.
    idle: seconds that a method may compute without a request, where its budget is in evaluations.
    """

    devices: tuple[str, ...] = ("cpu",)
    jobs: int = 1
    grace: float = 30.0
    quiet: bool = False
    plugins: tuple[Path, ...] = ()
    idle: float = Guard.idle

    @property
    def slots(self) -> tuple[str, ...]:
        return self.devices * self.jobs if self.devices == ("cpu",) else self.devices


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """What is read here, and what is written by a run; each is closed with its stack."""
    reader, writer = os.pipe()
    ours.callback(os.close, reader)
    theirs.callback(os.close, writer)
    os.set_blocking(reader, False)
    return reader, writer


@dataclass
class Supervisor:
    """Carries out runs that are not stored yet; what another process is at work on is left to it, and awaited."""

    store: Store
    settings: Settings
    children: list[Child] = field(default_factory=list)
    stopping: int = 0
    broken: str = ""
    refused: str = ""
    beside: int = 1
    told: bool = False

    def __call__(self, specs: Sequence[RunSpec]) -> None:
        """Returns when all are stored, or when user, disk or an unfit file stopped it: see `stopping`, `broken`, `refused`."""
        waiting = list(specs)
        self.beside = min(len(waiting), len(self.settings.slots))
        before = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            while (waiting or self.children) and not self.broken:
                if (self.stopping or self.refused) and not self.children:
                    return
                if not (self.stopping or self.refused):
                    waiting = self._start(waiting)
                if waiting or self.children:
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
                if lock is None:
                    left.append(spec)
                elif (found := self.store.find(spec)) is None or found.open:
                    self._spawn(spec, free.pop(0), lock, held)
                    held = ExitStack()
            except OSError as error:
                if not self.children:
                    self.broken = f"no process can be started for {label(spec)}: {error.strerror or error}"
                return left + waiting[k:]  # one that ends makes room
            except StorageError as error:
                self.broken = str(error)
            except UsageError as error:  # a folder that became unreadable meanwhile is that run's matter
                print(f"bench: {one_line(str(error))}", file=sys.stderr)
            finally:
                held.close()
        return left

    def _spawn(self, spec: RunSpec, slot: str, lock: int, held: ExitStack) -> None:
        if not self.settings.quiet and len(self.settings.slots) > 1:
            print(f"begun: {label(spec)}", file=sys.stderr, flush=True)
        environment = dict(os.environ)
        if len(self.settings.slots) > 1 and not any(name in environment for name in _THREADS):
            share = max(1, (os.cpu_count() or 1) // len(self.settings.slots))
            environment |= dict.fromkeys(_THREADS, str(share))
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path)
        with ExitStack() as ours, ExitStack() as theirs:
            reader, writer = _pipe(ours, theirs)
            prints, printer = _pipe(ours, theirs) if self.settings.quiet else (None, None)
            before = signal.pthread_sigmask(
                signal.SIG_BLOCK, SIGNALS
            )  # inherited: the worker opens them when it is ready
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "benchmark.worker"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=printer, start_new_session=True, pass_fds=(writer, lock), env=environment,
                )  # fmt: skip
                self.children.append(Child(spec, slot, process, reader, held, prints))
                ours.pop_all()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        job: dict[str, Any] = {
            "spec": spec.as_json(), "out": str(self.store.root.absolute()), "device": slot, "events": writer, "lock": lock,
            "quiet": self.settings.quiet or len(self.settings.slots) > 1,
            "plugins": [str(p.absolute()) for p in self.settings.plugins], "jobs": self.beside, "idle": self.settings.idle,
        }  # fmt: skip
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()

    def _wait(self) -> None:
        """Until something may have changed."""
        if not self.children:
            if not self.told and not self.stopping:
                self.told = True
                print("waiting for runs that another process is at work on", file=sys.stderr, flush=True)
            time.sleep(_POLL)
            return
        with selectors.DefaultSelector() as selector:
            for child in self.children:
                for number in child.listening:
                    selector.register(number, selectors.EVENT_READ)
            selector.select(_POLL)
        for child in list(self.children):
            child.hear(self.settings.grace)  # all of it: this process may itself have been stopped for a while
            child.watch(self.settings.grace)
            if child.process.poll() is not None:
                self._ended(child)

    def _ended(self, child: Child) -> None:
        self.children.remove(child)
        child.hear(self.settings.grace)
        child.signal(signal.SIGKILL)  # whatever it left behind
        child.close()
        code = child.process.returncode
        try:
            if code == REFUSED:
                self.refused = self.refused or child.refused
                self.store.withdraw(child.spec)
                return
            if code == STORAGE:
                self.broken = f"the output of {label(child.spec)} cannot be written"
            elif code != INTERRUPTED and not (self.stopping and not child.killed and -code in _STOPPED):
                found = self.store.find(child.spec)
                if found is None or found.open:
                    self.store.fail(child.spec, self._why(child, code))
        except StorageError as error:
            self.broken = str(error)
        except UsageError as error:
            print(f"bench: {one_line(str(error))}", file=sys.stderr)
        finally:
            child.held.close()
        if not self.settings.quiet and len(self.settings.slots) > 1 and not self.broken:
            print(f"ended: {label(child.spec)}", file=sys.stderr, flush=True)

    def _why(self, child: Child, code: int) -> str:
        if child.killed:
            grace, counted = self.settings.grace, Budget.parse(child.spec.budget).unit == "nfe"
            end = f"after {self.settings.idle:g} s without a request" if counted else "at its budget"
            return (
                f"Killed: it stopped neither {end} nor within {grace:g} s of SIGTERM, which came {grace:g} s after that"
            )
        if code < 0:
            return f"Died: its process was killed by {signal.Signals(-code).name}, not by the suite"
        return f"Died: its process ended with exit status {code} and stored no result"
