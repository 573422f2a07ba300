"""Who may carry out the runs of a folder: any number of local processes, or one engine alone.

Local processes hold each run that they are at work on; what an engine sent is held by nobody here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from benchmark.errors import UsageError
from benchmark.spec import RunSpec
from benchmark.store.files import storing
from benchmark.store.locks import take
from benchmark.store.store import Store


def left(specs: Sequence[RunSpec], store: Store) -> list[RunSpec]:
    """Those that are not stored."""
    return [s for s in specs if (found := store.find(s)) is None or found.open]


@contextmanager
def engine_alone(store: Store, engine: str) -> Iterator[None]:
    """Raises UsageError where any other process carries out runs of this folder."""
    with _hold(store, shared=False) as held:
        if not held:
            raise UsageError(
                f"--engine {engine}: another process is at work on {store.root}; wait for it, or "
                "choose another --out"
            )
        yield


@contextmanager
def beside_no_engine(specs: Sequence[RunSpec], store: Store) -> Iterator[None]:
    """Raises UsageError where an engine is at work on this folder and one of these is missing."""
    with _hold(store, shared=True) as held:
        if not held and left(specs, store):
            raise UsageError(
                f"an engine, by `bench run --engine`, is at work on {store.root}, and it alone "
                "knows which of its runs are done elsewhere; wait for it, or choose another --out"
            )
        yield


@contextmanager
def _hold(store: Store, *, shared: bool) -> Iterator[bool]:
    path = store.root / ".driver.lock"
    with storing(path):
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
