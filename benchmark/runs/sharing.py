"""Which run a worker tries next where others share the folder."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence

from benchmark.spec import RunSpec
from benchmark.store.hints import hint_stored, read_hints, unhint
from benchmark.store.store import Store, Stored

# leases of others that one worker watches, which it does where nothing is free: each has several
# watchers then, and a thousand workers ask the file system for no million of them
_WATCHED = 20


class Sharing:
    """The choices of one worker. Where no leases are used, runs keep their order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rng = random.Random(store.leases.owner if store.leases else 0)
        self._look_again = 0.0

    def choose(self, waiting: Sequence[RunSpec]) -> tuple[list[RunSpec], list[RunSpec]]:
        """Those to try now and those to try later; runs that are known to be stored are neither."""
        leases = self._store.leases
        if leases is None:
            return list(waiting), []
        free, others = read_hints(self._store.root).choose(waiting, self._rng)
        if free or time.monotonic() < self._look_again:
            return free, others
        self._look_again = time.monotonic() + leases.rest
        others.sort(key=lambda spec: zlib.crc32(f"{leases.owner} {spec.run_id}".encode()))
        return others[:_WATCHED], others[_WATCHED:]

    def look(self) -> None:
        """Offer those of others at once: a run ended here, and theirs may be stale by now."""
        self._look_again = 0.0

    def hint(self, spec: RunSpec) -> None:
        """Renew what the others are told of a run, for somebody may have removed it by hand."""
        found = self._store.find(spec)
        if found is None or found.open:
            unhint(self._store.folder(spec))
        self.stored(spec, found)

    def stored(self, spec: RunSpec, found: Stored | None) -> None:
        """Tell the others of a run that is stored."""
        if self._store.leases is not None and found is not None and not found.open:
            hint_stored(found.folder, failed=not found.done)
