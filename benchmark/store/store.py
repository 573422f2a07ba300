"""The result store: one folder per run, named by the hash of the run's specification."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmark.errors import UsageError, one_line
from benchmark.spec import SCHEMA, RunSpec
from benchmark.store.checkpoints import STATES
from benchmark.store.files import make_folder, storing, write_atomic
from benchmark.store.hints import hint_held, unhint
from benchmark.store.incoming import remove_stale
from benchmark.store.journal import CALLS
from benchmark.store.lease import Leases
from benchmark.store.locks import see_locks, take
from benchmark.store.refits import REFITS
from benchmark.store.seal import TRIALS, sealed
from benchmark.store.stored import LIMIT, Misplaced, Stored, read, unfinished

__all__ = ["LIMIT", "Misplaced", "Store", "Stored", "read"]

_State = tuple[tuple[int, int, int] | None, ...]


def _state(folder: Path) -> _State:
    """What changes when a file of a run is written."""
    found: list[tuple[int, int, int] | None] = []
    names = ("run.json", "final.json", "proposals.jsonl", TRIALS)
    for path in (*(folder / name for name in names), folder.parents[2] / REFITS):
        try:
            now = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((now.st_ino, now.st_size, now.st_mtime_ns))
    return tuple(found)


class Store:
    """The runs below one folder: `<task>/<method>/<run id>/`."""

    def __init__(self, root: Path, leases: Leases | None = None) -> None:
        """leases: what tells this process's runs from other machines', where those share root."""
        self.root, self.leases = root, leases
        self._closed: dict[Path, tuple[_State, Stored]] = {}

    def prepare(self) -> None:
        """Make the folder and see that it can be written and locked. Raises UsageError.

        What a driver that was killed left is removed.
        """
        make_folder(self.root)
        remove_stale(self.root)
        if self.leases is None:
            see_locks(self.root)
        else:
            self.leases.check(self.root)

    def folder(self, spec: RunSpec) -> Path:
        return self.root / spec.task / spec.method / spec.run_id

    def find(self, spec: RunSpec) -> Stored | None:
        """The stored run of this very specification, if there is one."""
        folder = self.folder(spec)
        if not (folder / "run.json").exists():
            self._closed.pop(folder, None)
            return None
        # a suite asks for each of its runs often, so closed runs are read again only when changed
        state = _state(folder)
        known = self._closed.get(folder)
        if known is not None and known[0] == state:
            return known[1]
        found = read(folder)
        if not found.open:
            self._closed[folder] = (state, found)
        return found

    def missing(self, specs: Iterable[RunSpec], *, retry: bool = False) -> list[RunSpec]:
        """Those that are not stored. retry: one that failed is not either."""
        found = ((spec, self.find(spec)) for spec in specs)
        return [s for s, r in found if r is None or r.open or (retry and not r.done)]

    @contextmanager
    def lock(self, spec: RunSpec) -> Iterator[int | None]:
        """Lock a run; None where another process has it. Raises StorageError.

        The lock is this process's and of those that inherit the file descriptor. The kernel
        releases it when the last of them ends, however it ends.
        """
        folder = self.folder(spec)
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with storing(folder / ".lock"):
                held = self._taken(fd, folder)
            yield fd if held else None
        finally:
            if self.leases is not None and self.leases.release(folder):
                hint_held(folder, False)
            os.close(fd)

    def holds(self, spec: RunSpec) -> bool:
        """Whether a run that this process has locked is no other worker's by now."""
        return self.leases is None or self.leases.holds(self.folder(spec))

    def _taken(self, fd: int, folder: Path) -> bool:
        """Raises OSError."""
        if self.leases is None:
            return take(fd)
        # a lease holds where files cannot be locked; where they can, both must be free
        try:
            free = take(fd)
        except OSError:
            free = True
        taken = free and self.leases.take(folder)
        if taken:
            hint_held(folder, True)
        return taken

    def fail(self, spec: RunSpec, error: str) -> None:
        """Record that a run's process ended without a word. Raises StorageError."""
        folder = self.folder(spec)
        record = unfinished(folder) or {
            "schema": SCHEMA,
            "run_id": spec.run_id,
            "spec": spec.as_json(),
            "ledger": {},
        }
        with storing(folder):
            record = sealed(record | {"status": "failed", "error": error}, folder)
            write_atomic(folder / "run.json", json.dumps(record, indent=1) + "\n")
            shutil.rmtree(folder / STATES, ignore_errors=True)

    def forget(self, spec: RunSpec) -> None:
        """Make a failed run one that was never begun. Raises StorageError."""
        with storing(self.folder(spec)):
            for name in ("run.json", CALLS, "proposals.jsonl", TRIALS):
                (self.folder(spec) / name).unlink(missing_ok=True)
            shutil.rmtree(self.folder(spec) / STATES, ignore_errors=True)
            unhint(self.folder(spec))

    def withdraw(self, spec: RunSpec) -> None:
        """Forget a refused run that was never at work. Raises StorageError."""
        calls = self.folder(spec) / CALLS
        with storing(calls):
            # an earlier process may have been at work on it, with files that were right then
            began = calls.exists() and calls.stat().st_size > 0
        if not began:
            self.forget(spec)

    def __iter__(self) -> Iterator[Stored]:
        """Every run that can be read; each other one is a line on stderr.

        Raises UsageError where there are runs and none of them can be read.
        """
        found: list[Stored] = []
        passed_over: list[str] = []
        unreadable: list[UsageError] = []
        for path in self.records():
            try:
                found.append(read(path.parent))
            except Misplaced as error:
                _pass_over(error)
                passed_over.append(path.parent.relative_to(self.root).as_posix())
            except UsageError as error:
                unreadable.append(error)
        # an empty answer would look like an empty folder
        if unreadable and not found:
            raise unreadable[0]
        for why in unreadable:
            _pass_over(why)
        yield from (replace(run, passed_over=tuple(passed_over)) for run in found)

    def records(self) -> list[Path]:
        """The run.json of each run."""
        return sorted(self.root.glob("*/*/*/run.json")) if os.path.isdir(self.root) else []


def _pass_over(error: UsageError) -> None:
    print(f"bench: passed over: {one_line(str(error))}", file=sys.stderr)
