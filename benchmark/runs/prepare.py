"""What comes before the first run: memory, the output folder, failed runs, small budgets."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmark.runs.afford import warnings
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.preflight import preflight as check_memory
from benchmark.spec import RunSpec
from benchmark.store.store import Store


def prepare(
    specs: Sequence[RunSpec],
    store: Store,
    settings: ExecutorSettings,
    *,
    retry: bool,
    preflight: bool,
    engine: str = "",
) -> None:
    """Warns on standard error. retry: forget failed runs, so that they are run again.  engine: the
    executor that is to do so.

    Raises UsageError for runs that are estimated not to fit into memory (preflight), and for an
    output that cannot be written; StorageError.
    """
    todo = store.missing(specs, retry=retry)
    # before `store.prepare`: what is refused leaves no folder behind
    # a cluster's machines have memory of their own
    if preflight and not settings.address:
        check_memory(todo, settings.devices, settings.jobs)
    store.prepare()
    for line in warnings(todo):
        print(line, file=sys.stderr)
    if retry:
        # else they would be gone, and the executor refused
        with driving(engine, todo, store, retry=True):
            for spec in todo:
                _forget_failed(spec, store)


def _forget_failed(spec: RunSpec, store: Store) -> None:
    # under the lock, since another process may have begun it again
    with store.lock(spec) as lock:
        found = store.find(spec)
        if lock is not None and found is not None and found.run["status"] == "failed":
            store.forget(spec)
