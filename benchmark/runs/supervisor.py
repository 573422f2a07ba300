"""The local executor: each run in its own process, several at a time if asked, with a watchdog.

A run that does not stop by itself gets SIGTERM once its budget and the grace are over (where that
is in evaluations: once its method has asked for nothing for the idle time and the grace), and after
another grace its whole process group gets SIGKILL. A process that ends without having stored how
its run ended leaves a failed run.
"""

from __future__ import annotations

import selectors
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from benchmark.budget import Budget
from benchmark.errors import StorageError, UsageError, one_line
from benchmark.runs.child import Child, label
from benchmark.runs.display import CountedLines, Screen, Silent, display
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.forked import modules
from benchmark.runs.sharing import Sharing
from benchmark.runs.spawn import spawn
from benchmark.runs.warm_start import WarmStart
from benchmark.runs.worker import INTERRUPTED, LOST, REFUSED, STORAGE
from benchmark.spec import RunSpec
from benchmark.store.files import storing
from benchmark.store.store import Store

_POLL = 0.2  # seconds between two looks at the clock
_STOPPED = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True)
class LocalExecutor:
    """Runs in processes of this machine; what another process is at work on is awaited."""

    settings: ExecutorSettings

    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        with driving("", specs, store), WarmStart(modules(specs)) as warm:
            return Supervisor(store, self.settings, warm)(specs)


@dataclass
class Supervisor:
    """One call of the local executor.

    stopping: how often the user has asked for the end.  broken, refused: as in `Outcome`.
    at_once: how many runs share the machine.  display: what the user sees of them.
    lost: how many runs another worker took over.  listens: to this process's signals, which only
    its main thread can.  warm: the server that forks the runs; the caller's to close.
    """

    store: Store
    settings: ExecutorSettings
    warm: WarmStart
    children: list[Child] = field(default_factory=list)
    stopping: int = 0
    broken: str = ""
    refused: str = ""
    at_once: int = 1
    lost: int = 0
    listens: bool = True
    waiting_shown: bool = False
    display: CountedLines = field(default_factory=lambda: Silent(0))

    def __post_init__(self) -> None:
        self.sharing = Sharing(self.store)

    def __call__(self, specs: Sequence[RunSpec]) -> Outcome:
        self.display = display(len(specs), len(self.settings.slots), self.settings.quiet)
        with self.display:
            self._carry_out(specs)
        return Outcome(self.broken, self.refused, self.stopping > 0, lost=self.lost)

    def _carry_out(self, specs: Sequence[RunSpec]) -> None:
        waiting = list(specs)
        self.at_once = min(len(waiting), len(self.settings.slots))
        heard = (signal.SIGINT, signal.SIGTERM) if self.listens else ()
        before = {s: signal.signal(s, self._stop) for s in heard}
        try:
            while (waiting or self.children) and not self.broken:
                if (self.stopping or self.refused) and not self.children:
                    return
                if not (self.stopping or self.refused):
                    waiting = self._start(waiting)
                    if not (self.children or self.settings.wait or self._may_be_free(waiting)):
                        return
                if waiting or self.children:
                    self._wait()
        finally:
            # only where this process itself failed or the disk is full: no run goes on alone
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
        """Start as many as there is room for; returns those that wait, some for other processes."""
        free = list(self.settings.slots)
        for child in self.children:
            free.remove(child.slot)
        if not free:
            return waiting
        waiting, left = self.sharing.choose(waiting)
        for k, spec in enumerate(waiting):
            if not free or self.broken or self.stopping:
                return left + waiting[k:]
            # a look at each of many runs takes long
            self._renew()
            held = ExitStack()
            try:
                lock = held.enter_context(self.store.lock(spec))
                if lock is None:
                    left.append(spec)
                # looked up under the lock: another process may just have finished it
                elif (found := self.store.find(spec)) is None or found.open:
                    # once it is known that there is a run
                    self.warm.up(self.settings, self._kept_on)
                    if self.stopping:
                        return left + waiting[k:]
                    # that takes seconds, in which this process may have stood still
                    if not self.store.holds(spec):
                        self._lose(spec)
                        continue
                    self._spawn(spec, free.pop(0), lock, held)
                    # the lock is the child's now, and `finally` must not release it
                    held = ExitStack()
                else:
                    self.sharing.stored(spec, found)
            except OSError as error:
                # while other runs are at work, one that ends makes room for this one
                if not self.children:
                    self.broken = (
                        f"no process can be started for {label(spec)}: {error.strerror or error}"
                    )
                return left + waiting[k:]
            except StorageError as error:
                self.broken = str(error)
            # a folder that cannot be read is that run's matter alone
            except UsageError as error:
                print(f"bench: {one_line(str(error))}", file=sys.stderr)
            finally:
                held.close()
        return left

    def _spawn(self, spec: RunSpec, slot: str, lock: int, held: ExitStack) -> None:
        self.display.begun(spec)
        spawn(
            spec,
            self.store,
            self.settings,
            slot=slot,
            lock=lock,
            held=held,
            jobs=self.at_once,
            told=isinstance(self.display, Screen),
            children=self.children,
            warm=self.warm.parent,
            waiting=self._renew,
        )

    def _may_be_free(self, waiting: Sequence[RunSpec]) -> bool:
        """Whether some are held by workers of which it is not known yet that they are alive."""
        leases = self.store.leases
        return leases is not None and leases.undecided(map(self.store.folder, waiting))

    def _renew(self) -> None:
        """Keep this worker's leases; a run that is another's now must not be written any more."""
        if self.store.leases is None:
            return
        for folder in self.store.leases.renew():
            for child in self.children:
                if self.store.folder(child.spec) == folder:
                    child.lost = True
                    child.signal(signal.SIGKILL)

    def _kept_on(self) -> bool:
        """Called where something takes long; whether the user has asked for the end."""
        self._renew()
        return self.stopping > 0

    def _wait(self) -> None:
        """Until something may have changed."""
        self._renew()
        if not self.children:
            if not self.waiting_shown and not self.stopping:
                self.waiting_shown = True
                text = "waiting for runs that another process is at work on"
                print(text, file=sys.stderr, flush=True)
            time.sleep(_POLL)
            return
        with selectors.DefaultSelector() as selector:
            for child in self.children:
                for number in child.listening:
                    selector.register(number, selectors.EVENT_READ)
            selector.select(_POLL)
        for child in list(self.children):
            # events before the deadline: this process may itself have stood still for a while
            child.hear(self.settings.grace)
            child.watch(self.settings.grace)
            if child.process.poll() is not None:
                self._ended(child)
        self.display.show(self.children)

    def _holds(self, spec: RunSpec) -> bool:
        """Raises StorageError."""
        with storing(self.store.folder(spec)):
            return self.store.holds(spec)

    def _lose(self, spec: RunSpec) -> None:
        self.lost += 1
        what = "its lease was lost: another worker has it"
        print(f"bench: {label(spec)}: {what}", file=sys.stderr)

    def _ended(self, child: Child) -> None:
        self.children.remove(child)
        self.sharing.look()
        child.hear(self.settings.grace)
        # to its whole process group, for what it left behind
        child.signal(signal.SIGKILL)
        child.close()
        code = child.process.wait()
        try:
            # of a run that is another's by now nothing is written here
            if child.lost or code == LOST or not self._holds(child.spec):
                self._lose(child.spec)
                return
            if code == REFUSED:
                self.refused = self.refused or child.refused
                self.store.withdraw(child.spec)
                return
            if code == STORAGE:
                self.broken = f"the output of {label(child.spec)} cannot be written"
            elif not self._was_stopped(child, code):
                # a run that stored no end is failed: going on with it could kill it for ever
                found = self.store.find(child.spec)
                if found is None or found.open:
                    self.store.fail(child.spec, self._why(child, code))
        except StorageError as error:
            self.broken = str(error)
        except UsageError as error:
            print(f"bench: {one_line(str(error))}", file=sys.stderr)
        finally:
            child.held.close()
        if not self.broken:
            stored = None
            with suppress(UsageError):
                stored = self.store.find(child.spec)
            self.sharing.stored(child.spec, stored)
            self.display.ended(child.spec, stored)

    def _was_stopped(self, child: Child, code: int) -> bool:
        """Whether a run ended because the user asked for it; then it can be resumed."""
        by_signal = self.stopping > 0 and not child.killed and -code in _STOPPED
        return code == INTERRUPTED or by_signal

    def _why(self, child: Child, code: int) -> str:
        if child.killed:
            grace, counted = self.settings.grace, Budget.parse(child.spec.budget).unit == "nfe"
            idle = f"after {self.settings.idle:g} s without a request"
            end = idle if counted else "at its budget"
            return (
                f"Killed: it stopped neither {end} nor within {grace:g} s of SIGTERM, which "
                f"came {grace:g} s after that"
            )
        if code < 0:
            return f"Died: its process was killed by {_name(-code)}, not by the suite"
        return f"Died: its process ended with exit status {code} and stored no result"


def _name(number: int) -> str:
    """Of a signal; a real-time one has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
