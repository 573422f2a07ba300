"""Runs from Python.

from benchmark import run
results = run(["random", "bayesian"], "quadratic", budget="20000nfe", seeds=range(5))
results.frame.groupby("method")["objective"].mean()
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.api.explained import explained
from benchmark.api.given import (
    Methods,
    Tasks,
    check_importable,
    load_plugins,
    read_methods,
    read_tasks,
)
from benchmark.api.inputs import (
    Amount,
    read_amount,
    read_flag,
    read_jobs,
    read_marks,
    read_options,
    read_path,
    read_paths,
    read_prompts,
    read_seconds,
    read_seeds,
    read_text,
    require_text,
)
from benchmark.api.results import Results
from benchmark.command import data as datasets
from benchmark.errors import UsageError
from benchmark.escape import visible
from benchmark.registry import METHODS, TASKS
from benchmark.runs.executor import (
    IN_PROCESS,
    LOCAL,
    ExecutorSettings,
    carry_out,
    left_out,
    make_executor,
)
from benchmark.runs.machine import devices_of, files_for, folder_of
from benchmark.runs.plan import Configured, check_owners, plan
from benchmark.runs.prepare import prepare
from benchmark.spec import RunSpec
from benchmark.store.store import Store


@explained
def run(
    methods: Methods,
    tasks: Tasks,
    *,
    preset: str | None = None,
    lower: str | None = None,
    budget: Amount = 60,
    seeds: int | str | Iterable[int] = 0,
    prompts: str | Iterable[str] | None = None,
    options: Mapping[str, object] | None = None,
    marks: Amount | Iterable[Amount] | None = None,
    device: str = "cpu",
    out: str | Path = "results/runs",
    jobs: int = 1,
    engine: str | None = None,
    address: str = "",
    data_dir: str | Path | None = None,
    plugins: str | Path | Sequence[str | Path] = (),
    retry_failed: bool = False,
    preflight: bool = True,
    grace: float | str = 30,
    idle: float | str = 600,
    quiet: bool | None = None,
) -> Results:
    """Run what is not stored yet, and return all of the runs that were asked for.

    methods: a name ("random", "grid,random", "all"), a generator function, a class of options, an
        instance such as RandomSearch(trials=3), or a list of these. A function or class is
        registered under its own name, and its source is part of each run's identity: an edited
        one is run again.
    tasks: a name, a TaskMaker class, an instance of one, or a list of these.
    preset: of the tasks' options; default: each task's first.
    lower: the lower-level solver; default: the paper's for each method.
    budget: of each run. A number of seconds, a text such as "5m" or "20000nfe" (network
        evaluations), or Budget(20000, "nfe").
    seeds: 3, [0, 1], range(5) or "0-4", each from 0 to 10**15; the default is seed 0 alone.
    prompts: a text or a list of texts, a run each; default: the task's own.
    options: {"random.trials": 3} or {"random": {"trials": 3}}; `bench list NAME` names them.
        They come after the options of an instance and those of the preset.
    marks: amounts up to the budget, in its unit. The incumbent is also measured there; default:
        a quarter and a half of the budget, [] for none.
    device: "cpu", "cuda", "cuda:1", or several such as "cuda:0,cuda:1" with a run on each.
    out: the folder of stored runs, made where it is missing.
    jobs: runs at a time on a CPU, from 1 to 1024. More than one run in worker processes.
    engine: "in_process", one run after the other here, "local", a worker process for each run, or
        "dask" or "ray" for those of a cluster; default: "in_process" for one job on one device. A
        worker finds built-ins, installed plug-ins and what a file of `plugins` registers, but
        nothing that is defined in a notebook.
    address: of a cluster's scheduler, such as "tcp://host:8786"; default: one is started here.
    data_dir: the folder of data sets; default: what BENCH_DATA_DIR names.
    plugins: Python files that register more, a path or a list of paths.
    retry_failed: run failed runs again; else they stay failed.
    preflight: refuse runs that are estimated not to fit into memory.
    grace: seconds past a budget of seconds before a worker process is stopped.
    idle: seconds that a method may compute without a request, where the budget is in evaluations.
    quiet: no progress; default: progress in an interactive session alone.

    A run that fails is a row with status `failed`, and raises nothing. Raises UsageError for a
    request that cannot be met, StorageError where `out` cannot be written, and KeyboardInterrupt;
    the same call then goes on where it was stopped.
    """
    settings = _settings(device, jobs, grace, quiet, plugins, idle, read_text("address", address))
    name = _engine(engine, settings)
    folder = None if data_dir is None else read_path("data_dir", data_dir)
    again, careful = read_flag("retry_failed", retry_failed), read_flag("preflight", preflight)
    with datasets.data_dir(folder):
        load_plugins(settings.plugins)
        specs = _plan(
            read_methods(methods),
            read_tasks(tasks),
            read_options(options),
            preset=read_text("preset", preset),
            lower=read_text("lower", lower),
            budget=read_amount("budget", budget),
            seeds=read_seeds(seeds),
            prompts=read_prompts(prompts),
            marks=read_marks(marks),
            # which of several cards runs it is no part of a run's identity
            device=settings.devices[0].partition(":")[0],
        )
        if name != IN_PROCESS:
            _check_elsewhere(specs, settings, name)
        store = Store(folder_of(read_path("out", out)))
        executor = make_executor(name, settings)
        prepare(specs, store, settings, retry=again, preflight=careful, engine=name)
        carry_out(name, executor, specs, store).check()
        if missing := left_out(specs, store):
            print(f"bench: {visible(missing)}", file=sys.stderr)
    return Results(found for spec in specs if (found := store.find(spec)) is not None)


def _settings(
    device: object,
    jobs: object,
    grace: object,
    quiet: object,
    plugins: object,
    idle: object,
    address: str | None,
) -> ExecutorSettings:
    return ExecutorSettings(
        # a cluster's cards are not this machine's
        devices_of(require_text("device", device), here=not address),
        read_jobs(jobs),
        read_seconds("grace", grace),
        _quiet(quiet),
        tuple(read_paths("plugins", plugins)),
        read_seconds("idle", idle),
        address=address or "",
    )


def _quiet(value: object) -> bool:
    """None means: quiet unless the session is interactive."""
    # only an interactive interpreter has a prompt
    return not hasattr(sys, "ps1") if value is None else read_flag("quiet", value)


def _engine(engine: object, settings: ExecutorSettings) -> str:
    """The executor's name: in this process where that will do. Raises UsageError."""
    name = read_text("engine", engine)
    slots = len(settings.slots)
    if settings.address and name in (None, "", LOCAL, IN_PROCESS):
        raise UsageError("address: expected engine 'dask' or 'ray' beside it")
    if name == IN_PROCESS and slots > 1:
        raise UsageError(f"engine {name!r}: expected one job on one device, got {slots}")
    return name or (LOCAL if slots > 1 else IN_PROCESS)


def _plan(
    methods: Sequence[Configured],
    tasks: Sequence[Configured],
    options: Mapping[str, Mapping[str, object]],
    **others: Any,
) -> list[RunSpec]:
    """The runs of each task in turn, each once."""
    names = [thing.name for thing in (*tasks, *methods)]
    planned: dict[str, RunSpec] = {}
    for task in tasks:
        mine = {task.name, *(method.name for method in methods)}
        own = {owner: found for owner, found in options.items() if owner in mine}
        planned |= {spec.run_id: spec for spec in plan(methods, task, options=own, **others)}
    # over all tasks: each task alone would refuse the options of the others
    check_owners(options, names)
    return list(planned.values())


def _check_elsewhere(specs: Sequence[RunSpec], settings: ExecutorSettings, name: str) -> None:
    """Raises UsageError where other processes cannot do these runs."""
    used = {(s.method, s.task): None for s in specs}
    names = [pair for method, task in used for pair in ((METHODS, method), (TASKS, task))]
    check_importable(names, settings.plugins)
    # signal handlers can be set in the main thread alone
    if name == LOCAL and threading.current_thread() is not threading.main_thread():
        raise UsageError("jobs: expected a call from the main thread; leave out jobs and engine")
    files_for(min(len(settings.slots), len(specs)))
