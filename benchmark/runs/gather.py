"""What every engine does with runs from elsewhere: choose who gets some, and store what comes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from benchmark.errors import StorageError, UsageError, one_line
from benchmark.runs.display import CountedLines, Silent
from benchmark.runs.executor import Outcome
from benchmark.runs.remote import Answered
from benchmark.spec import RunSpec
from benchmark.store.packed import unpack
from benchmark.store.store import Store


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
                with store.lock(spec) as lock:
                    # another process may have it, or have just stored it
                    found = store.find(spec)
                    if lock is not None and (found is None or found.open):
                        unpack(answer.packed, spec, store)
                shown.ended(spec, store.find(spec))
        except StorageError as error:
            return Outcome(broken=one_line(str(error)))
        except SchedulerLost as error:
            return Outcome(failed=one_line(str(error)))
        except KeyboardInterrupt:
            return Outcome(stopped=True)
    return Outcome()
