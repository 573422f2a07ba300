"""The result store: one folder per run, written atomically, named by the hash of the run's specification."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.bounded import read_bounded
from benchmark.errors import UsageError, one_line
from benchmark.files import Lines, make_folder, storing, write_atomic
from benchmark.journal import CALLS, STATES, Arrays, Journal, Shelf, read_lines, too_long
from benchmark.locks import see_locks, take
from benchmark.plain import plain
from benchmark.plan import SCHEMA, SCHEMAS, RunSpec
from benchmark.schema import DONE, PROPOSAL, RUN, TESTS, check
from benchmark.seal import SAMPLES, sealed

LIMIT = 64 * 2**20  # bytes of one file; a run of 10,000 proposals needs under 3 MB


@dataclass(frozen=True)
class Stored:
    """A run as it lies on the disk. torn: proposal lines that were dropped because they were cut short.

    passed_over: folders beside it that were not read, since they have another name than their run.
    digest: SHA-256 of its run.json, which has those of its other files.
    """

    folder: Path
    run: Mapping[str, Any]
    proposals: list[dict[str, Any]] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)
    torn: int = 0
    passed_over: tuple[str, ...] = ()
    digest: str = ""

    @property
    def done(self) -> bool:
        return self.run["status"] in DONE

    @property
    def open(self) -> bool:
        """Neither finished nor failed: it was cut short, or is at work now."""
        return self.run["status"] not in (*DONE, "failed")


class Writer:
    """Writes one run's folder: status first, proposals as they come, measurements and status last.

    Where the folder holds a run that was cut short, its journal is taken up. before: its record.  resumed: how often
    that has happened.  lost: what to say of a journal that could not be.
    stopped: when it was last written to, by the calendar.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for left in (*folder.glob(".*.json.*"), *folder.glob(".samples.png*"), *(folder / STATES).glob("*.part")):
                left.unlink()  # by a process that was killed while it wrote
            before = _unfinished(folder)
            calls = folder / CALLS
            self.stopped = calls.stat().st_mtime if calls.exists() else 0.0  # reading may cut it, and so write to it
            self.lost = too_long(calls) if before is not None else ""
            lines = read_lines(calls) if before is not None else []
            if not lines:
                shutil.rmtree(folder / STATES, ignore_errors=True)
        self.before: Mapping[str, Any] = before if before is not None and lines else {}
        self.resumed = self.before.get("resumed", 0) + bool(lines)
        self._written = 0
        self._calls = Lines(calls, keep=bool(lines))
        self.journal = Journal(lines, self._calls, _Shelf(folder / STATES), calls.stat().st_size)
        self._proposals = Lines(folder / "proposals.jsonl")  # those from before come again with the replay

    def run(self, record: Mapping[str, Any]) -> None:
        with storing(self.folder):
            closed = record["status"] in (*DONE, "failed")
            if closed:
                self._proposals.flush()
                self._calls.flush()
            found = sealed(plain(record), self.folder) if closed else plain(record)
            write_atomic(self.folder / "run.json", json.dumps(found, indent=1) + "\n")

    def proposal(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(plain(line)) + "\n"
        self._written += len(text)
        if self._written > LIMIT:
            raise ValueError(f"a method proposed more than {LIMIT >> 20} MiB of answers; yield one when it is better")
        self._proposals.write(text)
        self._proposals.flush()

    def final(self, tests: list[dict[str, Any]], images: NDArray[np.uint8]) -> None:
        with storing(self.folder):
            if len(images):
                from PIL import Image

                picture = io.BytesIO()
                Image.fromarray(np.concatenate(list(images), axis=1)).save(picture, format="PNG")
                write_atomic(self.folder / SAMPLES, picture.getvalue())
            text = json.dumps(plain({"schema": SCHEMA, "tests": tests}), indent=1) + "\n"
            write_atomic(self.folder / "final.json", text)

    def close(self, status: str) -> None:
        """What only a resumed run needs goes, unless the run can be resumed."""
        self._calls.close()
        self._proposals.close()
        if status in (*DONE, "failed"):
            shutil.rmtree(self.folder / STATES, ignore_errors=True)
        if status in DONE:
            with suppress(OSError):
                (self.folder / CALLS).unlink()


class _Shelf(Shelf):
    def hold(self, states: Iterable[tuple[int, Arrays]], keep: set[int], most: float = math.inf) -> None:
        with storing(self.folder):
            super().hold(states, keep, most)


def _unfinished(folder: Path) -> dict[str, Any] | None:
    """The record of a run that was cut short; None where there is none, or it cannot be read."""
    try:
        found: dict[str, Any] = check(RUN, _json(folder / "run.json"))
    except (UsageError, ValueError):
        return None
    return found if found["status"] in ("running", "interrupted") else None


_State = tuple[tuple[int, int, int] | None, ...]


def _state(folder: Path) -> _State:
    """What changes when a file of a run is written."""
    found: list[tuple[int, int, int] | None] = []
    for name in ("run.json", "final.json", "proposals.jsonl"):
        try:
            now = (folder / name).stat()
        except OSError:
            found.append(None)
        else:
            found.append((now.st_ino, now.st_size, now.st_mtime_ns))
    return tuple(found)


class Store:
    """The runs below one folder: `<task>/<method>/<run id>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._closed: dict[Path, tuple[_State, Stored]] = {}

    def prepare(self) -> None:
        """Make the folder and see that it can be written and locked. Raises UsageError."""
        make_folder(self.root)
        see_locks(self.root)

    def folder(self, spec: RunSpec) -> Path:
        return self.root / spec.task / spec.method / spec.run_id

    def find(self, spec: RunSpec) -> Stored | None:
        """The stored run of this very specification, if there is one."""
        folder = self.folder(spec)
        if not (folder / "run.json").exists():
            self._closed.pop(folder, None)
            return None
        state = _state(folder)
        known = self._closed.get(folder)
        if known is not None and known[0] == state:  # a suite asks for each of its runs several times
            return known[1]
        found = read(folder)
        if not found.open:
            self._closed[folder] = (state, found)
        return found

    @contextmanager
    def lock(self, spec: RunSpec) -> Iterator[int | None]:
        """Hold a run for this process and those that inherit the file descriptor; None where another holds it.

        The kernel lets go of it when the last of them ends, however it ends. Raises StorageError.
        """
        folder = self.folder(spec)
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with storing(folder / ".lock"):
                held = take(fd)
            yield fd if held else None
        finally:
            os.close(fd)

    def fail(self, spec: RunSpec, error: str) -> None:
        """Record that a run's process ended without a word. Raises StorageError."""
        folder = self.folder(spec)
        record = _unfinished(folder) or {"schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json(), "ledger": {}}
        with storing(folder):
            record = sealed(record | {"status": "failed", "error": error}, folder)
            write_atomic(folder / "run.json", json.dumps(record, indent=1) + "\n")
            shutil.rmtree(folder / STATES, ignore_errors=True)

    def forget(self, spec: RunSpec) -> None:
        """Make a failed run one that was never begun. Raises StorageError."""
        with storing(self.folder(spec)):
            for name in ("run.json", CALLS):
                (self.folder(spec) / name).unlink(missing_ok=True)

    def withdraw(self, spec: RunSpec) -> None:
        """Forget a run that was refused, unless an earlier process had got as far as a proposal. Raises StorageError."""
        if (found := self.find(spec)) is not None and not found.proposals:
            self.forget(spec)

    def __iter__(self) -> Iterator[Stored]:
        """Every run; one whose folder has another name is passed over, which is said. Raises UsageError."""
        found, misplaced = [], []
        for path in self.records():
            try:
                found.append(read(path.parent))
            except Misplaced as error:
                print(f"bench: passed over: {one_line(str(error))}", file=sys.stderr)
                misplaced.append(path.parent.relative_to(self.root).as_posix())
        yield from (replace(run, passed_over=tuple(misplaced)) for run in found)

    def records(self) -> list[Path]:
        """The run.json of each run."""
        return sorted(self.root.glob("*/*/*/run.json")) if os.path.isdir(self.root) else []


def _json(path: Path, digest: list[str] | None = None) -> dict[str, Any]:
    """digest: takes the SHA-256 of what was read."""
    try:
        content = read_bounded(path, LIMIT)
        if digest is not None:
            digest.append(hashlib.sha256(content).hexdigest())
        found = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected a run's JSON; {error}; remove that folder to leave the run out") from error
    if not isinstance(found, dict) or found.get("schema") not in SCHEMAS:
        version = found.get("schema") if isinstance(found, dict) else None
        raise UsageError(
            f"{path}: expected schema {' or '.join(map(str, SCHEMAS))}, got {version}; "
            "read it with the version of the suite that wrote it"
        )
    return found


class Misplaced(UsageError):
    """A run in a folder of another name: a copy, or one that was renamed."""


def read(folder: Path) -> Stored:
    """Read one run's folder; torn lines are dropped and counted. Raises UsageError for broken JSON or another schema, and
    Misplaced where the folder is not called as the run.
    """
    digest: list[str] = []
    run = _checked(folder / "run.json", RUN, _json(folder / "run.json", digest))
    if folder.name != run["run_id"]:
        raise Misplaced(
            f"{folder}: its folder is called {folder.name}, the run {run['run_id']}; rename it, or move it elsewhere"
        )
    proposals: list[dict[str, Any]] = []
    torn = 0
    path = folder / "proposals.jsonl"
    if path.exists():
        try:
            text = read_bounded(path, LIMIT)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: expected a run's proposals; {error}") from error
        for line in text.splitlines():
            try:
                proposals.append(check(PROPOSAL, json.loads(line)))
            except (ValueError, RecursionError):
                torn += 1
    tests: list[dict[str, Any]] = []
    if run["status"] in DONE:
        final = folder / "final.json"
        tests = _checked(final, TESTS, _json(final).get("tests"))
        if not tests and not run["no_incumbent"]:
            raise UsageError(f"{final}: expected a measurement, got none; remove that folder to leave the run out")
        # earlier versions measured the default, which nobody had paid for, where nothing had been proposed yet
        tests = [t for t in tests if not run["no_incumbent"] and (t["seconds"] > 0 or t["nfe"] > 0)]
        for test in tests:
            test["curves"] = {k: np.array(v) for k, v in test["curves"].items()}
    return Stored(folder, run, proposals, tests, torn, digest=digest[0])


def _checked(path: Path, kind: Any, found: object) -> Any:
    try:
        return check(kind, found)
    except ValueError as error:
        raise UsageError(
            f"{path}: expected a run's record; {error}; remove that folder to leave the run out"
        ) from error
