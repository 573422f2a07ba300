"""Refits: what each answer is worth by itself, by fresh trainings at its lam, on other seeds.

Measurement, as the final one: no budget pays for it, and no method sees it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

from benchmark.errors import Refused, StorageError, UsageError, located
from benchmark.fitting import advance
from benchmark.maker import Refitted
from benchmark.plugins.load import load_plugin
from benchmark.protocol import Refit
from benchmark.runs.spawn import share
from benchmark.runs.surroundings import settle
from benchmark.runs.worker import same_task
from benchmark.search.tested import checked
from benchmark.seeds import substream
from benchmark.spec import RunSpec, read_spec
from benchmark.store.files import storing
from benchmark.store.locks import locked
from benchmark.store.refits import REFITS, decisive, path_of, read_refit, write_refit
from benchmark.store.store import Stored

Show = Callable[[int, int], None]
"""Is called with the trainings that are done and those there are."""


@dataclass(frozen=True)
class Job:
    """The trainings of one lam that are still to be done.

    path: of its record.  lam: native values.  record: as far as it is.
    """

    path: Path
    spec: RunSpec
    lam: dict[str, Any]
    refit: Refit
    record: dict[str, Any]

    @property
    def left(self) -> int:
        return self.refit.trainings - len(self.record["trainings"])


def refittable(specs: Iterable[RunSpec]) -> None:
    """Raises UsageError for a run of a task that has no refits."""
    for spec in specs:
        if not isinstance(spec.maker(), Refitted):
            raise UsageError(
                "refit: expected runs of a task that trains at a lam, got "
                f"{spec.task}, which has no refits"
            )


def jobs(runs: Sequence[Stored], root: Path, marks: bool) -> tuple[list[Job], list[str]]:
    """What is missing for these runs, each lam once, and a line for each run that cannot have it.

    marks: also of what stood at the marks. Raises UsageError where no run can have refits.
    """
    found: dict[Path, Job] = {}
    left_out: list[str] = []
    as_planned: dict[str, str] = {}
    for run in runs:
        spec = read_spec(run.run["spec"])
        # the task's version, options and files; many runs have the same
        key = str((spec.task, spec.task_version, spec.task_options, spec.fingerprint))
        if key not in as_planned:
            as_planned[key] = _why_not(spec)
        if as_planned[key]:
            left_out.append(f"refit of run {spec.run_id} ({spec.method}): {as_planned[key]}")
            continue
        wanted = cast(Refitted, spec.maker()).refit
        for test in run.tests if marks else run.tests[-1:]:
            of = decisive(run.run["spec"], test["lam"])
            path = path_of(root, of)
            if path not in found:
                found[path] = Job(path, spec, test["lam"], wanted, _record(path, of, wanted))
    if left_out and len(left_out) == len(runs):
        raise UsageError(left_out[0])
    return [job for job in found.values() if job.left > 0], left_out


def _record(path: Path, of: dict[str, Any], wanted: Refit) -> dict[str, Any]:
    """What is stored of a lam's trainings. Raises UsageError."""
    return read_refit(path) or {"of": of, "wanted": wanted.trainings, "trainings": []}


def _why_not(spec: RunSpec) -> str:
    """Why a run can have no refits, or "": it has none, or its task is no longer what it was."""
    try:
        maker = spec.maker()
        if not isinstance(maker, Refitted):
            return f"task {spec.task!r} has no refits"
        same_task(spec)
    except (UsageError, Refused) as error:
        return str(error)
    return ""


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Raises UsageError where another process is at work on this folder's refits."""
    with ExitStack() as stack:
        with storing(root / REFITS):
            (root / REFITS).mkdir(exist_ok=True)
            held = stack.enter_context(locked(root / REFITS / ".lock"))
        if not held:
            raise UsageError(f"{root}: another process is at work on its refits; wait for its end")
        yield


def refit(
    todo: Sequence[Job],
    root: Path,
    *,
    workers: int = 1,
    plugins: Sequence[Path] = (),
    show: Show = lambda done, of: None,
) -> list[str]:
    """Do these trainings, and store each as it ends; returns a line for each lam that failed.

    workers: processes; 1: this one. Raises UsageError and StorageError.
    """
    whole, done = sum(job.left for job in todo), 0
    failed: list[str] = []

    def take_in(job: Job, outcome: str | list[dict[str, Any]]) -> None:
        nonlocal done
        done += job.left
        if isinstance(outcome, str):
            failed.append(f"refit of run {job.spec.run_id} ({job.spec.method}): {outcome}")
        show(done, whole)

    with _alone(root):
        # another process may have done some of it since it was planned
        todo = [replace(job, record=_record(job.path, job.record["of"], job.refit)) for job in todo]
        todo = [job for job in todo if job.left > 0]
        done = whole - sum(job.left for job in todo)
        if workers == 1:
            for job in todo:
                take_in(job, _train(job))
            return failed
        # threads and locks of this process would be copied into a fork
        begin = partial(_begin, tuple(plugins), str(share(workers)))
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=begin)
        with pool:
            waiting = {pool.submit(_train, job): job for job in todo}
            try:
                for future in as_completed(waiting):
                    take_in(waiting[future], future.result())
            except BrokenProcessPool as error:
                raise UsageError(
                    f"{root}: a process of --jobs {workers} ended without a word, as one that has "
                    "no memory left; what it had done is stored, so try again with fewer"
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return failed


def _begin(plugins: Sequence[Path], threads: str) -> None:
    """In a process of its own, with its share of threads unless the user has set them."""
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = threads
    settle()
    for path in plugins:
        load_plugin(path)


def _train(job: Job) -> str | list[dict[str, Any]]:
    """All trainings of a lam that are missing, stored one by one, or why one failed."""
    done = list(job.record["trainings"])
    try:
        for k in range(len(done), job.refit.trainings):
            done.append(_training(job, k))
            write_refit(job.path, job.record | {"trainings": done})
    except StorageError:
        raise
    # whatever a plug-in's task may raise
    except Exception as error:
        return located(error)
    return done


def _training(job: Job, k: int) -> dict[str, Any]:
    """One training, measured after each length."""
    spec, began = job.spec, time.perf_counter()
    maker = spec.maker()
    # every draw hangs on the task's seed, so none of the search's comes again; the same for every
    # method, so that they are compared on the same trainings
    task = maker.open(
        substream(spec.seed, "refit", k) % 2**31, spec.prompt, maker.lowers[-1], spec.device
    )
    lam = task.space.point(job.lam).clip(0.0, 1.0)
    state, taken, measured = task.init(0), 0, []
    for steps in job.refit.lengths:
        state = advance(task, state, lam, steps - taken)
        taken = steps
        metrics = checked(task.test(state, lam)).metrics
        kept = {name: float(metrics[name]) for name in job.refit.metrics}
        measured.append({"steps": steps, "metrics": kept})
    return {"seconds": time.perf_counter() - began, "measured": measured}
