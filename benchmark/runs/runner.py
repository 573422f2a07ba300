"""Run and store one specification."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from benchmark.errors import Refused, StorageError, format_error
from benchmark.runs.active_run import ActiveRun
from benchmark.runs.interrupts import Interrupts, Terminated
from benchmark.runs.progress import Progress, Told
from benchmark.runs.record import Record
from benchmark.search.audit import AuditError, balanced
from benchmark.search.clock import Clock
from benchmark.search.guard import Guard
from benchmark.spec import RunSpec
from benchmark.store.fence import Fence
from benchmark.store.journal import ReplayError
from benchmark.store.store import Store
from benchmark.store.writer import Writer

LOG = logging.getLogger("benchmark")


def run_one(
    spec: RunSpec,
    store: Store,
    *,
    quiet: bool = False,
    told: bool = False,
    clock: Clock = time.monotonic,
    device: str = "",
    event: Callable[[str, object], None] = lambda name, left: None,
    jobs: int = 1,
    guard: Guard | None = None,
    interrupts: Interrupts | None = None,
    fence: Fence | None = None,
) -> str:
    """Run and store one specification, or resume it; the caller has its lock.

    device: which of the specification's kind; "": the first.  jobs: how many share the machine.
    interrupts: where the caller listens already.  told: whether `event` is told how far it is, and
        the run itself shows nothing.  fence: of a run that is the caller's by a lease.
    Returns ok, budget_exhausted or failed. Raises KeyboardInterrupt, Refused where the task cannot
    be set up, and StorageError where the output cannot be written: then it can be resumed.
    """
    record = Record(spec, Writer(store.folder(spec), fence), clock, jobs)
    progress = _progress(record, spec, quiet, event if told else None)
    if interrupts is None:
        interrupts = Interrupts()
        interrupts.listen()
    try:
        record.write()
        place, guard = device or spec.device, guard or Guard()
        run = ActiveRun(spec, place, record, progress, event, guard, interrupts)
        with _noted(record):
            result = run()
        balanced(record.ledger.accounts(), record.wall)
        record.values |= result
    except (KeyboardInterrupt, Terminated) as error:
        if isinstance(error, Terminated) or interrupts.came:
            record.values["status"] = "interrupted"
            raise KeyboardInterrupt from error
        record.fail(f"{format_error(error)} (raised by the method, not by the user)")
    except (StorageError, Refused):
        record.values["status"] = "interrupted"
        raise
    except (Exception, SystemExit, GeneratorExit, ReplayError, AuditError) as error:
        # one failure never stops the other runs: it is stored, and shown in the table; its frames
        # hold what it had allocated, which may be what is missing now
        traceback.clear_frames(error.__traceback__)
        record.fail(format_error(error))
    finally:
        interrupts.leave()
        _close(record, progress)
    return record.status


def _progress(
    record: Record, spec: RunSpec, quiet: bool, event: Callable[[str, object], None] | None
) -> Progress:
    parts = (spec.method, spec.lower, f"seed {spec.seed}", spec.prompt)
    label = " ".join(filter(None, parts))
    if record.lost:
        print(f"bench: {label}: {record.lost}", file=sys.stderr)
    if event is not None:
        return Told(event)
    return Progress(label, record.budget.amount, record.budget.unit, quiet)


@contextmanager
def _noted(record: Record) -> Iterator[None]:
    """Warnings inside are notes of the run, and go nowhere else."""
    # some libraries print whatever reaches the root logger
    LOG.addHandler(record.notes)
    LOG.propagate = False
    try:
        yield
    finally:
        LOG.removeHandler(record.notes)
        LOG.propagate = True


def _close(record: Record, progress: Progress) -> None:
    """Raises StorageError, unless the run is interrupted already."""
    record.stop()
    # where the disk is full already, a second error would hide the first
    with suppress(*([StorageError] if record.status == "interrupted" else [])):
        record.end()
    record.writer.close(record.status)
    progress.close(record.summary)
