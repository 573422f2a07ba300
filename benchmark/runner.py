"""Run one specification: open the task, let the method spend its budget, measure what it proposed, store the record."""

from __future__ import annotations

import logging
import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import Clock, Ledger
from benchmark.device import environment, in_use, peak_memory_bytes, reset_peak_memory, use
from benchmark.errors import Refused, StorageError, UsageError, one_line, said
from benchmark.fitting import advance
from benchmark.journal import ReplayError
from benchmark.metered import Incumbent, Metered
from benchmark.plan import SCHEMA, RunSpec, make_method
from benchmark.progress import Progress
from benchmark.protocol import Method, Proposal, Task, Test
from benchmark.seeds import generator
from benchmark.store import Store, Writer

LOG = logging.getLogger("benchmark")
_IDLE = 1000  # proposals in a row without an oracle call: such a method would never end
_NOTES = 20
_STRIP = 8  # images of samples.png


class Terminated(BaseException):
    """SIGTERM: past the budget the search ends here, before it the run stops and can be resumed."""


class Notes(logging.Handler):
    """Keeps what a task or a method had to say (a back-off, a fallback), each message once."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        super().__init__(logging.WARNING)
        self.texts = list(texts)

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(record.getMessage())
        if text not in self.texts and len(self.texts) < _NOTES:
            self.texts.append(text)


def checked(proposal: object, dim: int) -> Proposal[Any]:
    """The proposal, or ValueError where a method yields anything else."""
    if not isinstance(proposal, Proposal):
        raise ValueError(f"a method yields Proposals, got {type(proposal).__name__}")
    lam = np.asarray(proposal.lam)
    if lam.shape != (dim,) or not np.all(np.isfinite(lam)) or np.any(lam < 0) or np.any(lam > 1):
        raise ValueError(f"a proposal's lam is {dim} numbers in [0, 1], got {proposal.lam}")
    return proposal


def search(method: Method, metered: Metered, rng: np.random.Generator, ledger: Ledger) -> Iterator[Incumbent]:
    """The proposals that came within the budget, stamped. The clock stands still while this is suspended."""
    proposals = iter(method(metered, rng))
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


@dataclass
class Found:
    """What a search left: what stood at the marks, what stands now, and whether a mark came before the first proposal."""

    marks: list[float]
    unit: str
    kept: list[Incumbent] = field(default_factory=list)
    last: Incumbent | None = None
    late: bool = False

    def add(self, incumbent: Incumbent) -> None:
        at = incumbent.at(self.unit)
        if self.last is None:
            self.late = any(m < at for m in self.marks)
        elif any(self.last.at(self.unit) <= m < at for m in self.marks):
            self.kept.append(self.last)
        self.last = incumbent


@dataclass(frozen=True)
class Run:
    """One run while it lasts. event: told what begins, and the seconds of budget that are left, for a watchdog."""

    spec: RunSpec
    device: str
    ledger: Ledger
    writer: Writer
    progress: Progress
    event: Callable[[str, float | None], None]

    @property
    def budget(self) -> Budget:
        return Budget.parse(self.spec.budget)

    def _left(self) -> float | None:
        return self.budget.amount - self.ledger.spent() if self.budget.unit == "s" else None

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

    def _search(self, metered: Metered, task: Task[Any], found: Found) -> str:
        """Spend the budget; returns the status."""
        spec = self.spec
        rng = generator(spec.seed, "method", spec.method, spec.prompt)
        status = "ok"
        self.event("search", self.budget.amount if self._left() is not None else None)  # a replay takes no longer
        try:
            for incumbent in search(make_method(spec.method, spec.method_options), metered, rng, self.ledger):
                found.add(incumbent)
                with self.ledger.account("io"):
                    self.writer.proposal(_stamp(incumbent, task))
                    self.progress.incumbent(incumbent.proposal.loss)
        except OutOfBudget:
            status = "budget_exhausted"
        except (KeyboardInterrupt, Terminated) as error:
            if isinstance(error, Terminated) and (self._left() or 1.0) <= 0:
                status = "budget_exhausted"
            else:
                with suppress(Exception, StorageError), self.ledger.account("io"):
                    metered.keep()
                raise
        with self.ledger.account("io"):
            metered.end()
        return status

    def __call__(self) -> dict[str, Any]:
        """The record of the search, and of the measurement of its last incumbent and of those that stood at a mark."""
        self.progress.phase("set-up")
        try:
            task = self._warm()
        except UsageError as error:
            raise Refused(str(error)) from error
        budget, ledger = self.budget, self.ledger
        metered = Metered(
            task,
            budget,
            ledger,
            lambda: self.progress.spent(metered.spent()),
            self.writer.journal,
            lambda: self.event("search", self._left()),
        )
        found = Found([Budget.parse(m).amount for m in self.spec.marks], budget.unit)
        self.progress.phase("search")
        own = reset_peak_memory(self.device)  # set-up loads some things once a process: they are not the method's
        status = self._search(metered, task, found)
        self.event("measure", None)
        seconds = ledger.spent()
        result = {
            "status": status, "nfe": metered.nfe, "oracle_calls": metered.calls, "search_seconds": seconds,
            "longest_call_seconds": metered.longest,
            "overrun_seconds": max(0.0, seconds - budget.amount) if budget.unit == "s" else 0.0,
            "no_incumbent": found.last is None,
            "peak_memory_bytes": peak_memory_bytes(self.device), "peak_memory_of": "search" if own else "process",
        }  # fmt: skip
        self.progress.phase("measuring")
        with ledger.account("report"):
            tests, images = self._measure(metered, task, found)
        with ledger.account("io"):
            self.writer.final(tests, images)
        return result

    def _measure(self, metered: Metered, task: Task[Any], found: Found) -> tuple[list[dict[str, Any]], NDArray[Any]]:
        """What stood at the marks and at the end on held-out data; until its first proposal a method stands for the default."""
        wanted = [(i, metered.inside(i.proposal.state)) for i in [*found.kept, found.last] if i]
        if found.last is None or found.late:
            lam = task.space.default()
            default = Incumbent(Proposal(lam, None), 0.0, 0)
            wanted.insert(0, (default, advance(task, task.init(0), lam, task.horizon)))
        tests = []
        for incumbent, state in wanted:
            test = task.test(state, incumbent.proposal.lam)
            tests.append(_measured(incumbent, task, test))
        return tests, test.images[:_STRIP]


def run_one(
    spec: RunSpec,
    store: Store,
    *,
    quiet: bool = False,
    clock: Clock = time.monotonic,
    device: str = "",
    event: Callable[[str, float | None], None] = lambda name, left: None,
    jobs: int = 1,
) -> str:
    """Run and store one specification, or go on with it where it was cut short; the caller holds its lock.

    device: which one of the specification's kind (default: the first).  jobs: how many runs share the machine.
    Returns the status: ok, budget_exhausted or failed. Raises KeyboardInterrupt, Refused where the task cannot be
    set up, and StorageError where the output cannot be written; what is stored then can be resumed.
    """
    began = time.time()
    writer = Writer(store.folder(spec))
    lines = writer.journal.lines
    down = max(0.0, began - writer.stopped) if lines else 0.0
    before = lines[-1].accounts if lines else {}
    ledger = Ledger(clock, "paused" if lines else "setup", before.get("paused", 0.0) + down)
    notes, budget = Notes(writer.before.get("notes", ())), Budget.parse(spec.budget)
    label = " ".join(filter(None, (spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)))
    progress = Progress(label, budget.amount, budget.unit, quiet)
    record: dict[str, Any] = {
        "schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json(), "status": "running", "error": "",
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)), "ledger": {},
        "resumed": writer.resumed, "jobs": max(jobs, writer.before.get("jobs", 1)), "notes": notes.texts,
    }  # fmt: skip
    try:
        writer.run(record)
        LOG.addHandler(notes)
        LOG.propagate = False  # some libraries print whatever reaches the root; a note is shown below the table
        record |= Run(spec, device or spec.device, ledger, writer, progress, event)()
    except (KeyboardInterrupt, Terminated) as error:
        record["status"] = "interrupted"
        raise KeyboardInterrupt from error
    except (StorageError, Refused):
        record["status"] = "interrupted"
        raise
    except (Exception, SystemExit, ReplayError) as error:
        # one failure never stops the other runs: it is stored, and shown in the table
        traceback.clear_frames(error.__traceback__)  # what it had allocated may be what is missing now
        record |= {"status": "failed", "error": said(error)}
    finally:
        LOG.removeHandler(notes)
        LOG.propagate = True
        accounts = ledger.accounts()
        ended = {
            "ledger": accounts,
            "wall_seconds": ledger.elapsed() + down + sum(before.values()),
            "environment": environment(),
            "notes": notes.texts,
        }
        with suppress(*([StorageError] if record["status"] == "interrupted" else [])):
            writer.run(record | ended)
        writer.close(str(record["status"]))
        progress.close(
            f"{record['status']}{': ' + record['error'] if record['error'] else ''} ({sum(accounts.values()):.1f} s)"
        )
    return str(record["status"])


def _stamp(incumbent: Incumbent, task: Task[Any]) -> dict[str, Any]:
    p = incumbent.proposal
    loss = math.inf if math.isnan(p.loss) else float(p.loss)
    return {"seconds": incumbent.seconds, "nfe": incumbent.nfe, "lam": task.space.native(p.lam), "loss": loss}


def _measured(incumbent: Incumbent, task: Task[Any], test: Test) -> dict[str, Any]:
    bad = [name for name, value in test.metrics.items() if not math.isfinite(value)]
    if bad:
        raise ValueError(f"the measurement gave a value that is not finite: {', '.join(bad)}")
    curves = {name: _curve(name, values) for name, values in test.curves.items()}
    return _stamp(incumbent, task) | {
        "metrics": dict(test.metrics), "passport": dict(test.passport), "curves": curves,
    }  # fmt: skip


def _curve(name: str, values: NDArray[np.float64]) -> list[list[float]]:
    """(3, M), rounded to what a picture can show. Raises ValueError for another shape, or a value that is not finite."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) != 3 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"curve {name!r}: expected (3, M) finite numbers, got {table.shape}")
    return [[float(f"{v:.6g}") for v in row] for row in table]
