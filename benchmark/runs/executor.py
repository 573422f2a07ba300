"""The executor protocol: whoever carries out runs, in processes, in this one, or elsewhere.

    executor = SomeExecutor(ExecutorSettings(jobs=2))
    outcome = executor(specs, Store(Path("results/runs")))

An executor calls `benchmark.runs.runner.run_one(spec, store)` for each run while it holds
`store.lock(spec)`, and leaves out what is stored or locked by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmark.errors import Refused, StorageError, UsageError, located, one_line, shown
from benchmark.registry import EXECUTORS
from benchmark.search.guard import Guard
from benchmark.spec import RunSpec
from benchmark.store.store import Store

_MOST_JOBS = 1024


@dataclass(frozen=True)
class ExecutorSettings:
    """How runs are carried out; no part of their identity.

    devices: one run at a time on each, `jobs` of them on a CPU; (): each run's own kind of device.
    grace: seconds past a budget of seconds before a run is stopped from outside.
    plugins: files to load.
    idle: seconds that a method may compute without a request, where its budget is in evaluations.
    wait: whether runs that another process is at work on are awaited.
    address: of a cluster's scheduler, for executors that have one.
    """

    devices: tuple[str, ...] = ("cpu",)
    jobs: int = 1
    grace: float = 30.0
    quiet: bool = False
    plugins: tuple[Path, ...] = ()
    idle: float = Guard.idle
    wait: bool = True
    address: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError for jobs that cannot be."""
        if not 1 <= self.jobs <= _MOST_JOBS:
            raise UsageError(f"--jobs: expected a number from 1 to {_MOST_JOBS}, got {self.jobs}")
        if self.jobs > 1 and self.devices != ("cpu",):
            raise UsageError(
                "--jobs: expected one run at a time on a GPU; name several with --device "
                "cuda:0,cuda:1"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        return self.devices * self.jobs if self.devices == ("cpu",) else self.devices


@dataclass(frozen=True)
class Outcome:
    """Why an executor stopped before all runs were stored; a run that failed is stored.

    broken: the output cannot be written.  refused: a run cannot be set up.  stopped: by the user.
    failed: the executor itself raised an error.  lost: runs that another worker took over.
    """

    broken: str = ""
    refused: str = ""
    stopped: bool = False
    failed: str = ""
    lost: int = 0

    def check(self) -> None:
        """Raises where it stopped before the end.

        StorageError, Refused, KeyboardInterrupt, or UsageError where the executor failed.
        """
        if self.broken:
            raise StorageError(self.broken)
        if self.failed:
            raise UsageError(self.failed)
        if self.refused:
            raise Refused(self.refused)
        if self.stopped:
            raise KeyboardInterrupt


class Executor(Protocol):
    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        """Carry out the runs that are not stored yet.

        Returns when each is stored (ok, budget_exhausted or failed), or the outcome says why not.
        Each run that was begun can then be resumed by the same call. A refused one leaves
        nothing, unless it had been begun before.
        """


MakeExecutor = Callable[[ExecutorSettings], Executor]
"""What is registered as an executor, most simply a class."""

LOCAL, IN_PROCESS = "local", "in_process"
TABLE = {
    LOCAL: "benchmark.runs.supervisor:LocalExecutor",
    IN_PROCESS: "benchmark.runs.inprocess:InProcessExecutor",
    "dask": "benchmark.runs.dask_engine:DaskExecutor",
    "ray": "benchmark.runs.ray_engine:RayExecutor",
}


def make_executor(name: str, settings: ExecutorSettings) -> Executor:
    """A registered executor. Raises UsageError, also for one of a plug-in that cannot be made."""
    try:
        executor: Executor = EXECUTORS.get(name)(settings)
    except UsageError:
        raise
    # a plug-in's constructor may raise anything
    except Exception as error:
        raise UsageError(f"executor {name!r} cannot be made: {located(error)}") from error
    if not callable(executor):
        raise UsageError(
            f"executor {name!r}: expected an object that is called with (specs, store), got "
            f"{shown(executor)}; give its class a __call__"
        )
    return executor


def carry_out(name: str, executor: Executor, specs: Sequence[RunSpec], store: Store) -> Outcome:
    """Call an executor. Raises UsageError where it returns anything but an `Outcome`."""
    try:
        outcome: object = executor(specs, store)
    except UsageError:
        raise
    except StorageError as error:
        return Outcome(broken=one_line(str(error)))
    except KeyboardInterrupt:
        return Outcome(stopped=True)
    except (Exception, SystemExit) as error:
        # of a built-in it is a fault of the suite, whose traceback is wanted
        if EXECUTORS.entries[name].built_in:
            raise
        return Outcome(failed=f"executor {name!r} failed: {located(error)}")
    if isinstance(outcome, Outcome):
        return outcome
    raise UsageError(
        f"executor {name!r}: expected it to return an Outcome, got {shown(outcome)}; return "
        "Outcome() when each run is stored"
    )


def left_out(specs: Sequence[RunSpec], store: Store) -> str:
    """A line on the runs that are not stored, or ""."""
    if not (missing := store.missing(specs)):
        return ""
    first = missing[0]
    of = ", ".join(filter(None, (first.task, first.method, f"seed {first.seed}", first.prompt)))
    return (
        f"{len(missing)} of {len(specs)} runs are not stored; the first: {of}; the executor left "
        "them out, or another process is at work on them"
    )
