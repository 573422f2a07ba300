"""Who may carry out the runs of a folder: any number of local processes, or one engine alone.

Local processes hold each run that they are at work on; what an engine sent is held by nobody here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmark.errors import UsageError
from benchmark.spec import RunSpec
from benchmark.store.files import storing
from benchmark.store.locks import locked
from benchmark.store.store import Store

ENGINES = ("dask", "ray")
"""Executors that send runs elsewhere."""


@contextmanager
def driving(
    engine: str, specs: Sequence[RunSpec], store: Store, *, retry: bool = False
) -> Iterator[list[RunSpec]]:
    """What an executor has for itself while it works; an engine gets the runs that are missing.

    engine: its name; any but ENGINES is local.  retry: failed runs are missing too. Raises
    UsageError where another process stands in the way and a run is missing, and StorageError.
    """
    alone, path = engine in ENGINES, store.root / ".driver.lock"
    with ExitStack() as stack:
        with storing(path):
            store.root.mkdir(parents=True, exist_ok=True)
            # with leases files need not be lockable, and no engine can be seen there
            lock = locked(path, shared=not alone, needed=store.leases is None)
            held = stack.enter_context(lock)
        if held and not alone:
            # each is looked up under a lock of its own
            yield []
            return
        # looked up under the lock
        missing = store.missing(specs, retry=retry)
        if missing and not held:
            raise UsageError(
                f"--engine {engine}: another process is at work on {store.root}; wait for it, or "
                "choose another --out"
                if alone
                else f"an engine, by `bench run --engine`, is at work on {store.root}, and it "
                "alone knows which of its runs are done elsewhere; wait for it, or choose another "
                "--out"
            )
        yield missing
