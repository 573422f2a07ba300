"""Who may carry out the runs of a folder: any number of local processes, or one engine alone.

Local processes hold each run that they are at work on; what an engine sent is held by nobody here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from benchmark.errors import UsageError
from benchmark.spec import RunSpec
from benchmark.store.files import storing
from benchmark.store.locks import take
from benchmark.store.store import Store

ENGINES = ("dask", "ray")
"""Executors that send runs elsewhere."""


def driving(
    engine: str, specs: Sequence[RunSpec], store: Store, *, retry: bool = False
) -> AbstractContextManager[list[RunSpec]]:
    """What an executor has for itself while it works; an engine gets the runs that are left.

    retry: failed ones are left too. Raises UsageError where another process stands in the way and
    one of the runs is missing.
    """
    return (_alone if engine in ENGINES else _local)(engine, _left(specs, store, retry), store)


def _left(specs: Sequence[RunSpec], store: Store, retry: bool) -> Callable[[], list[RunSpec]]:
    def missing(spec: RunSpec) -> bool:
        found = store.find(spec)
        return found is None or found.open or (retry and not found.done)

    return lambda: [spec for spec in specs if missing(spec)]


@contextmanager
def _alone(engine: str, left: Callable[[], list[RunSpec]], store: Store) -> Iterator[list[RunSpec]]:
    with _hold(store, shared=False) as held:
        # looked up under the lock
        if (waiting := left()) and not held:
            raise UsageError(
                f"--engine {engine}: another process is at work on {store.root}; wait for it, or "
                "choose another --out"
            )
        yield waiting


@contextmanager
def _local(engine: str, left: Callable[[], list[RunSpec]], store: Store) -> Iterator[list[RunSpec]]:
    with _hold(store, shared=True) as held:
        # where nobody is in the way each run is looked up under a lock of its own
        if not held and left():
            raise UsageError(
                f"an engine, by `bench run --engine`, is at work on {store.root}, and it alone "
                "knows which of its runs are done elsewhere; wait for it, or choose another --out"
            )
        yield []


@contextmanager
def _hold(store: Store, *, shared: bool) -> Iterator[bool]:
    path = store.root / ".driver.lock"
    with storing(path):
        store.root.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield _taken(fd, store, shared=shared)
    finally:
        os.close(fd)


def _taken(fd: int, store: Store, *, shared: bool) -> bool:
    """Raises StorageError."""
    # with leases the folder's files need not be lockable, and no engine can be seen there
    if store.leases is not None:
        with suppress(OSError):
            return take(fd, shared=shared)
        return True
    with storing(store.root):
        return take(fd, shared=shared)
