"""Run one specification: open the task, let the method spend its budget, measure what it proposed, store the record."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.books import BooksError, balanced
from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import Clock, Ledger
from benchmark.device import in_use, peak_memory_bytes, reset_peak_memory, use
from benchmark.errors import Refused, StorageError, UsageError, said
from benchmark.facade import facade
from benchmark.guard import Guard
from benchmark.journal import ReplayError
from benchmark.measure import Found, measured, stamp, why_none
from benchmark.metered import Incumbent, Metered
from benchmark.plan import RunSpec, make_method
from benchmark.progress import Progress
from benchmark.protocol import Method, Proposal, Task
from benchmark.pulse import Pulse
from benchmark.record import Record
from benchmark.registry import Priced
from benchmark.seeds import generator
from benchmark.stops import Stops
from benchmark.store import Store, Writer

LOG = logging.getLogger("benchmark")
_IDLE = 1000  # proposals in a row without an oracle call: such a method would never end
_STRIP = 8  # images of samples.png


class Terminated(BaseException):
    """SIGTERM: past the budget the search ends here, before it the run stops and can be resumed."""


def checked(proposal: object, dim: int) -> Proposal[Any]:
    """The proposal, with a lam of its own, or ValueError where a method yields anything else."""
    if not isinstance(proposal, Proposal):
        raise ValueError(f"a method yields Proposals, got {type(proposal).__name__}")
    lam = np.asarray(proposal.lam)
    if lam.shape != (dim,) or not np.all(np.isfinite(lam)) or np.any(lam < 0) or np.any(lam > 1):
        raise ValueError(f"a proposal's lam is {dim} numbers in [0, 1], got {proposal.lam}")
    return Proposal(np.array(lam, dtype=np.float64), proposal.state, proposal.loss)


def search(method: Method, metered: Metered, rng: np.random.Generator, ledger: Ledger) -> Iterator[Incumbent]:
    """The proposals that came within the budget, stamped. The clock stands still while this is suspended."""
    proposals = iter(method(facade(metered), rng))
    idle = 0
    while True:
        calls = metered.calls
        if metered.live:
            metered.show_life()
        with ledger.account("paused" if metered.replaying else "method"):
            try:
                found = next(proposals)
            except StopIteration:
                return
        incumbent = metered.propose(checked(found, metered.space.dim))
        idle = idle + 1 if metered.calls == calls else 0
        if idle >= _IDLE:
            raise ValueError(f"a method must end or call an oracle; it yielded {_IDLE} times without one")
        yield incumbent


@dataclass(frozen=True)
class Run:
    """One run while it lasts. event: told what begins, and the seconds that are left, for a watchdog."""

    spec: RunSpec
    device: str
    record: Record
    progress: Progress
    event: Callable[[str, float | None], None]
    guard: Guard

    @property
    def budget(self) -> Budget:
        return self.record.budget

    @property
    def ledger(self) -> Ledger:
        return self.record.ledger

    @property
    def writer(self) -> Writer:
        return self.record.writer

    def _left(self) -> float:
        return self.budget.amount - self.ledger.spent()

    def _alive(self) -> None:
        if self.budget.unit == "s":
            self.event("search", self._left())
        self.record.company.look()

    def _watched(self, metered: Metered) -> AbstractContextManager[object]:
        if self.budget.unit == "nfe":
            return Pulse(
                metered.gate.computing, lambda: metered.over, self.guard.idle, lambda left: self.event("search", left)
            )
        self.event("search", self.budget.amount)  # a replay takes no longer
        return nullcontext()

    def _warm(self) -> Task[Any]:
        spec = self.spec
        use(self.device)
        if note := in_use(self.device):
            LOG.warning(note)
            self.progress.phase(note)
        task = spec.maker().open(spec.seed, spec.prompt, spec.lower, self.device)
        with self.ledger.account("paused" if self.writer.journal.lines else "warmup"):
            task.warm_up()
        return task

    def _search(self, metered: Metered, task: Task[Any], found: Found) -> tuple[str, str]:
        """Spend the budget; returns the status, and the guard that ended it or ""."""
        spec = self.spec
        rng = generator(spec.seed, "method", spec.method, spec.prompt)
        status = "ok"
        try:
            with self._watched(metered):
                for incumbent in search(make_method(spec.method, spec.method_options), metered, rng, self.ledger):
                    found.add(incumbent)
                    with self.ledger.account("io"):
                        self.writer.proposal(stamp(incumbent, task))
                        self.progress.incumbent(incumbent.proposal.loss)
        except OutOfBudget:
            status = "budget_exhausted"
        except (KeyboardInterrupt, Terminated) as error:
            if isinstance(error, Terminated) and self._at_its_end(metered):
                status = "budget_exhausted"
            else:
                with suppress(Exception, StorageError), self.ledger.account("io"):
                    metered.keep()
                raise
        with self.ledger.account("io"):
            guarded = metered.end(metered.gate.guarded)
        if guarded:
            LOG.warning(f"the search was ended by its {guarded}")
        return ("budget_exhausted" if guarded else status), guarded

    def _at_its_end(self, metered: Metered) -> bool:
        """Whether a SIGTERM ends the search and not the run: the watchdog's, past the budget or of a method that is idle."""
        if self.budget.unit == "s":
            return self._left() <= 0
        return metered.over or metered.gate.idled()

    def __call__(self) -> dict[str, Any]:
        """The record of the search, and of the measurement of its last incumbent and of those that stood at a mark."""
        self.progress.phase("set-up")
        maker = self.spec.maker()
        priced = maker if isinstance(maker, Priced) else None
        try:
            task = self._warm()
            prices = priced.prices(self.spec.lower) if priced is not None else None
        except UsageError as error:
            raise Refused(str(error)) from error
        budget, ledger = self.budget, self.ledger
        metered = Metered(
            task, budget, ledger, lambda: self.progress.spent(metered.spent()), self.writer.journal, self._alive, prices,
            self.guard,
        )  # fmt: skip
        found = Found([Budget.parse(m).amount for m in self.spec.marks], budget.unit)
        self.progress.phase("search")
        own = reset_peak_memory(self.device)  # set-up loads some things once a process: they are not the method's
        status, guarded = self._search(metered, task, found)
        why = why_none(status, guarded, metered.losses, metered.not_finite) if found.last is None else ""
        if why:
            LOG.warning(f"no answer: {why}")
        self.event("measure", None)
        seconds, by = ledger.spent(), budget.unit
        result = {
            "status": status, "nfe": metered.nfe, "oracle_calls": metered.calls, "search_seconds": seconds,
            "longest_call_seconds": metered.longest, "ended_by": guarded,
            "overrun_seconds": max(0.0, seconds - budget.amount) if by == "s" else 0.0,
            "overrun_nfe": max(0, metered.nfe - int(budget.amount)) if by == "nfe" else 0,
            "counted": priced.counted if priced is not None else "", "no_incumbent": found.last is None,
            "losses": metered.losses, "not_finite": metered.not_finite, "why_none": why,
            "peak_memory_bytes": peak_memory_bytes(self.device), "peak_memory_of": "search" if own else "process",
        }  # fmt: skip
        self.progress.phase("measuring")
        with ledger.account("report"):
            tests, images = self._measure(metered, task, found)
        with ledger.account("io"):
            self.writer.final(tests, images)
        return result

    def _measure(self, metered: Metered, task: Task[Any], found: Found) -> tuple[list[dict[str, Any]], NDArray[Any]]:
        """What stood at the marks and at the end on held-out data; nothing where nothing was proposed in time."""
        tests, images = [], np.zeros((0, 1, 1, 3), np.uint8)
        for incumbent, state in [(i, metered.inside(i.proposal.state)) for i in found.wanted]:
            test = task.test(state, incumbent.proposal.lam)
            tests.append(measured(incumbent, task, test))
            images = test.images[:_STRIP]
        return tests, images


def run_one(
    spec: RunSpec,
    store: Store,
    *,
    quiet: bool = False,
    clock: Clock = time.monotonic,
    device: str = "",
    event: Callable[[str, float | None], None] = lambda name, left: None,
    jobs: int = 1,
    guard: Guard | None = None,
) -> str:
    """Run and store one specification, or go on with it where it was cut short; the caller holds its lock.

    device: which one of the specification's kind (default: the first).  jobs: how many runs are known to share the
    machine; others are looked for.
    Returns the status: ok, budget_exhausted or failed. Raises KeyboardInterrupt, Refused where the task cannot be
    set up, and StorageError where the output cannot be written; what is stored then can be resumed.
    """
    record = Record(spec, Writer(store.folder(spec)), clock, jobs)
    budget, label = record.budget, " ".join(filter(None, (spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)))
    progress = Progress(label, budget.amount, budget.unit, quiet)
    if record.lost:
        print(f"bench: {label}: {record.lost}", file=sys.stderr)
    stops = Stops()
    stops.listen()
    try:
        record.write()
        LOG.addHandler(record.notes)
        LOG.propagate = False  # some libraries print whatever reaches the root; a note is shown below the table
        result = Run(spec, device or spec.device, record, progress, event, guard or Guard())()
        balanced(record.ledger.accounts(), record.wall)
        record.values |= result
    except (KeyboardInterrupt, Terminated) as error:
        if isinstance(error, KeyboardInterrupt) and not stops.came:
            record.values |= {"status": "failed", "error": f"{said(error)} (raised by the method, not by the user)"}
            return record.status
        record.values["status"] = "interrupted"
        raise KeyboardInterrupt from error
    except (StorageError, Refused):
        record.values["status"] = "interrupted"
        raise
    except (Exception, SystemExit, GeneratorExit, ReplayError, BooksError) as error:
        # one failure never stops the other runs: it is stored, and shown in the table
        traceback.clear_frames(error.__traceback__)  # what it had allocated may be what is missing now
        record.values |= {"status": "failed", "error": said(error)}
    finally:
        stops.leave()
        record.stop()
        LOG.removeHandler(record.notes)
        LOG.propagate = True
        with suppress(*([StorageError] if record.status == "interrupted" else [])):
            record.end()
        record.writer.close(record.status)
        progress.close(record.summary)
    return record.status
