"""Run one specification: open the task, let the method spend its budget, measure what it proposed, store the record."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.budget import Budget, Metered, OutOfBudget
from benchmark.clock import Clock, Ledger
from benchmark.device import environment, peak_memory_bytes, reset_peak_memory
from benchmark.fitting import advance
from benchmark.plan import SCHEMA, RunSpec, make_method, make_task
from benchmark.progress import Progress
from benchmark.protocol import Method, Proposal, Task, Test
from benchmark.seeds import generator
from benchmark.store import Store, Writer

LOG = logging.getLogger("benchmark")
_IDLE = 1000  # proposals in a row without an oracle call: such a method would never end
_NOTES = 20
_STRIP = 8  # images of samples.png


class Notes(logging.Handler):
    """Keeps what a task or a method had to say (a back-off, a fallback), each message once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.texts and len(self.texts) < _NOTES:
            self.texts.append(text)


@dataclass(frozen=True)
class Incumbent:
    """A proposal, and when it was made: seconds and network evaluations of the budget."""

    proposal: Proposal[Any]
    seconds: float
    nfe: int

    def at(self, unit: str) -> float:
        return self.nfe if unit == "nfe" else self.seconds


def checked(proposal: object, dim: int) -> Proposal[Any]:
    """The proposal, or ValueError where a method yields anything else."""
    if not isinstance(proposal, Proposal):
        raise ValueError(f"a method yields Proposals, got {type(proposal).__name__}")
    lam = np.asarray(proposal.lam)
    if lam.shape != (dim,) or not np.all(np.isfinite(lam)) or np.any(lam < 0) or np.any(lam > 1):
        raise ValueError(f"a proposal's lam is {dim} numbers in [0, 1], got {proposal.lam}")
    return proposal


def search(
    method: Method, metered: Metered[Any], rng: np.random.Generator, ledger: Ledger, budget: Budget
) -> Iterator[Incumbent]:
    """The proposals that came within the budget, stamped. The clock stands still while this is suspended."""
    proposals = iter(method(metered, rng))
    idle = 0
    while True:
        calls = metered.calls
        with ledger.account("method"):
            try:
                found = next(proposals)
            except StopIteration:
                return
        incumbent = Incumbent(checked(found, metered.space.dim), ledger.spent(), metered.nfe)
        if incumbent.at(budget.unit) > budget.amount:
            raise OutOfBudget(f"a proposal came at {incumbent.at(budget.unit):.6g} of {budget}")
        idle = idle + 1 if metered.calls == calls else 0
        if idle >= _IDLE:
            raise ValueError(f"a method must end or call an oracle; it yielded {_IDLE} times without one")
        yield incumbent


def run_one(spec: RunSpec, store: Store, *, quiet: bool = False, clock: Clock = time.monotonic) -> str:
    """Run and store one specification; returns its status: ok, budget_exhausted or failed."""
    ledger, notes, budget = Ledger(clock), Notes(), Budget.parse(spec.budget)
    label = " ".join(filter(None, (spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)))
    progress = Progress(label, budget.amount, budget.unit, quiet)
    writer = Writer(store.folder(spec))
    record: dict[str, Any] = {
        "schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json(), "status": "running", "error": "",
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "ledger": {},
    }  # fmt: skip
    writer.run(record)
    LOG.addHandler(notes)
    try:
        progress.phase("set-up")
        task = make_task(spec.task, spec.task_options).open(spec.seed, spec.prompt, spec.lower, spec.device)
        with ledger.account("warmup"):
            task.warm_up()
        record |= _search_and_test(spec, task, ledger, budget, writer, progress)
    except KeyboardInterrupt:
        record["status"] = "interrupted"
        raise
    except Exception as error:  # one failure never stops the other runs: it is stored, and shown in the table
        record |= {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    finally:
        LOG.removeHandler(notes)
        accounts = ledger.accounts()
        writer.run(
            record
            | {
                "ledger": accounts,
                "environment": environment(),
                "notes": notes.texts,
            }
        )
        writer.close()
        progress.close(
            f"{record['status']}{': ' + record['error'] if record['error'] else ''} ({sum(accounts.values()):.1f} s)"
        )
    return str(record["status"])


def _search_and_test(
    spec: RunSpec, task: Task[Any], ledger: Ledger, budget: Budget, writer: Writer, progress: Progress
) -> dict[str, Any]:
    """The search, then the measurement of its last incumbent and of those that stood at a mark."""
    metered = Metered(task, budget, ledger, lambda: progress.spent(metered.spent()))
    marks = [Budget.parse(m).amount for m in spec.marks]
    last: Incumbent | None = None
    kept: list[Incumbent] = []
    late = False
    status = "ok"
    progress.phase("search")
    own = reset_peak_memory(spec.device)  # set-up loads some things once a process: they are not the method's
    method = make_method(spec.method, spec.method_options)
    try:
        for found in search(method, metered, generator(spec.seed, "method", spec.method, spec.prompt), ledger, budget):
            if last is None:
                late = any(m < found.at(budget.unit) for m in marks)
            elif any(last.at(budget.unit) <= m < found.at(budget.unit) for m in marks):
                kept.append(last)
            last = found
            with ledger.account("io"):
                writer.proposal(_stamp(found, task))
                progress.incumbent(found.proposal.loss)
    except OutOfBudget:
        status = "budget_exhausted"
    seconds, nfe = ledger.spent(), metered.nfe
    result = {
        "status": status, "nfe": nfe, "oracle_calls": metered.calls, "search_seconds": seconds,
        "overrun_seconds": max(0.0, seconds - budget.amount) if budget.unit == "s" else 0.0,
        "no_incumbent": last is None,
        "peak_memory_bytes": peak_memory_bytes(spec.device), "peak_memory_of": "search" if own else "process",
    }  # fmt: skip
    progress.phase("measuring")
    with ledger.account("report"):
        if last is None or late:  # until its first proposal a method stands for the default
            lam = task.space.default()
            kept.insert(0, Incumbent(Proposal(lam, advance(task, task.init(0), lam, task.horizon)), 0.0, 0))
        tests = []
        for incumbent in [*kept, last] if last else kept:
            test = task.test(incumbent.proposal.state, incumbent.proposal.lam)
            tests.append(_measured(incumbent, task, test))
    with ledger.account("io"):
        writer.final(tests, test.images[:_STRIP])
    return result


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
