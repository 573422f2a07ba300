"""The same runs from Python, one after the other in the caller's process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark import datasets
from benchmark.errors import Refused
from benchmark.frame import frame
from benchmark.guard import Guard
from benchmark.plan import RunSpec, plan
from benchmark.registry import METHODS, TASKS
from benchmark.runner import run_one
from benchmark.store import Store


def carry_out(
    specs: Sequence[RunSpec], store: Store, quiet: bool, device: str = "", guard: Guard | None = None
) -> None:
    """Run what is neither stored nor held by another process. Raises StorageError, KeyboardInterrupt and Refused."""
    for spec in specs:
        for registry, name in ((METHODS, spec.method), (TASKS, spec.task)):
            if registry.stale(name, spec.fingerprint.get(f"{registry.kind} code", "")):
                raise Refused(
                    f"{registry.kind} {name!r}: its code was changed after this process had loaded it; start Python again, or "
                    "use `bench run`"
                )
        with store.lock(spec) as lock:
            found = store.find(spec)
            if lock is not None and (found is None or found.open):
                try:
                    run_one(spec, store, quiet=quiet, device=device, guard=guard)
                except Refused:
                    store.withdraw(spec)
                    raise


def run(
    method: str,
    task: str,
    *,
    out: str | Path = "results/runs",
    quiet: bool = True,
    data_dir: str | Path | None = None,
    retry_failed: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Run what is not stored yet, and return all of it, one row a run. options: as `benchmark.plan.plan`.

    Unlike the command's, these runs share the caller's process, so that a method registered there can be run; no
    watchdog stops one that hangs. data_dir: the folder of data sets (default: what BENCH_DATA_DIR names).
    Raises UsageError for a request that cannot be met; a run that fails is a row with status `failed`, and stays so
    unless `retry_failed`.
    """
    with datasets.data_dir(data_dir):
        specs = plan(method, task, **options)
        store = Store(Path(out))
        store.prepare()
        for spec in specs if retry_failed else ():
            if (found := store.find(spec)) is not None and found.run["status"] == "failed":
                store.forget(spec)
        carry_out(specs, store, quiet)
    return frame(found for spec in specs if (found := store.find(spec)) is not None)
