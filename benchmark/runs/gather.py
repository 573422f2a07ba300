"""What every engine does with runs from elsewhere: choose who gets some, and store what comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping

from benchmark.errors import StorageError, UsageError, one_line
from benchmark.runs.display import CountedLines, Silent
from benchmark.runs.executor import Outcome
from benchmark.runs.remote import Answered
from benchmark.spec import RunSpec
from benchmark.store.packed import Packed, unpack
from benchmark.store.store import Store

# seconds that somebody else may hold a run that has come, and between two looks
_PATIENCE, _POLL = 10.0, 0.1


class SchedulerLost(Exception):
    """What sends the runs is gone; those that are stored stay."""


def tell(worker: str, what: str) -> None:
    """A line for a worker that lacks something."""
    print(f"bench: worker {worker} gets no runs: {one_line(what)}", file=sys.stderr, flush=True)


def able(said: Mapping[str, str], engine: str) -> list[str]:
    """The workers that lack nothing; a line for each other. said: what each lacks, or "".

    Raises UsageError where none is left.
    """
    for worker, what in said.items():
        if what:
            tell(worker, what)
    found = [worker for worker, what in said.items() if not what]
    if not found:
        first = one_line(next(iter(said.values())))
        raise UsageError(f"--engine {engine}: no worker can take the runs; the first: {first}")
    return found


def _place(packed: Packed, spec: RunSpec, store: Store) -> None:
    """Store a run, unless it is stored by now. Raises StorageError."""
    until = time.monotonic() + _PATIENCE
    while True:
        with store.lock(spec) as lock:
            found = store.find(spec)
            if found is not None and not found.open:
                return
            if lock is not None:
                unpack(packed, spec, store)
                return
        if time.monotonic() > until:
            raise StorageError(f"cannot write {store.folder(spec)}: another process holds it")
        time.sleep(_POLL)


def gather(
    answers: Iterable[tuple[RunSpec, Answered]], store: Store, total: int, quiet: bool
) -> Outcome:
    """Store each run as it comes. total: of the suite, for what is shown."""
    with (Silent if quiet else CountedLines)(total) as shown:
        try:
            for spec, answer in answers:
                if answer.packed is None:
                    who = f"{spec.task} {spec.method} seed {spec.seed}"
                    return Outcome(refused=f"{who}, on a worker: {answer.why}")
                _place(answer.packed, spec, store)
                shown.ended(spec, store.find(spec))
        except StorageError as error:
            return Outcome(broken=one_line(str(error)))
        except SchedulerLost as error:
            return Outcome(failed=one_line(str(error)))
        except KeyboardInterrupt:
            return Outcome(stopped=True)
    return Outcome()
