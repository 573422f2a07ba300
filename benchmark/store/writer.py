"""One run's folder while the run lasts."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.spec import SCHEMA
from benchmark.store.checkpoints import STATES, Checkpoints
from benchmark.store.fence import Fence
from benchmark.store.files import Lines, storing, write_atomic
from benchmark.store.journal import CALLS, Journal, read_lines, too_long
from benchmark.store.plain import plain
from benchmark.store.schema import CLOSED, DONE, PROPOSAL, RUN, TESTS, TRIAL, readable
from benchmark.store.seal import ANSWER, EARLIER, SAMPLES, TRIALS, sealed
from benchmark.store.stored import ANSWER_LIMIT, LIMIT, unfinished

LOG = logging.getLogger("benchmark")


class Writer:
    """Writes one run's folder: status first, proposals as they come, measurements and status last.

    What could not be read back is not written: then each method raises Unreadable.
    Where the folder has a run that was cut short, its journal is taken up.

    before: the record of that run.  resumed: how often that has happened.
    lost: a note on a journal that is too long to be read.
    trials: how many are written.
    stopped: when the journal was last written to, by the calendar.
    """

    def __init__(self, folder: Path, fence: Fence | None = None) -> None:
        """fence: looked at before each write."""
        self.folder = folder
        # what closes a run is strict
        self._hold, look = (fence.hold, fence.look) if fence else (_nothing, _nothing)
        calls = folder / CALLS
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _remove_scratch(folder)
            before = unfinished(folder)
            # before the journal is read, for reading may cut it and so change its time
            self.stopped = calls.stat().st_mtime if calls.exists() else 0.0
            if fence is not None:
                self._hold()
                _part_from_others(folder)
            self.lost = too_long(calls) if before is not None else ""
            lines = read_lines(calls) if before is not None else []
            if not lines:
                shutil.rmtree(folder / STATES, ignore_errors=True)
        self.before: Mapping[str, Any] = before if before is not None and lines else {}
        self.resumed = self.before.get("resumed", 0) + bool(lines)
        self._written = self._trials_written = 0
        self.trials = 0
        self._calls = Lines(calls, keep=bool(lines), before=look)
        checkpoints = Checkpoints(folder / STATES, look)
        self.journal = Journal(lines, self._calls, checkpoints, calls.stat().st_size)
        # written anew: the replay proposes and evaluates the earlier ones again
        self._proposals = Lines(folder / "proposals.jsonl", before=look)
        self._trials = Lines(folder / TRIALS, before=look)

    def run(self, record: Mapping[str, Any]) -> None:
        with storing(self.folder):
            closed = record["status"] in CLOSED
            if closed:
                self._proposals.flush()
                self._trials.flush()
                self._calls.flush()
            content = readable(RUN, plain(record))
            if closed:
                content = sealed(content, self.folder)
            self._hold()
            write_atomic(self.folder / "run.json", json.dumps(content, indent=1) + "\n")

    def proposal(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(readable(PROPOSAL, plain(line))) + "\n"
        self._written += len(text)
        # no more than `read` takes back, or a finished run could not be read
        if self._written > LIMIT:
            raise ValueError(
                f"a method proposed more than {LIMIT >> 20} MiB of answers; yield one when it is "
                "better"
            )
        self._proposals.write(text)
        self._proposals.flush()

    def trial(self, line: Mapping[str, Any]) -> None:
        """An evaluation of F. What would make the file too long to be read is left out."""
        text = json.dumps(readable(TRIAL, plain(line))) + "\n"
        self._trials_written += len(text)
        # a search may evaluate more often than anybody will read; its answer does not depend on it
        if self._trials_written <= LIMIT:
            self._trials.write(text)
            self.trials += 1
        elif self._trials_written - len(text) <= LIMIT:
            LOG.warning(f"{TRIALS} is full: it holds the first {LIMIT >> 20} MiB of evaluations")

    def final(self, tests: list[dict[str, Any]], images: list[NDArray[np.uint8]]) -> None:
        """images: of each test, (n, H, W, 3) each."""
        with storing(self.folder):
            self._hold()
            strips = [np.concatenate(list(i), axis=1) if len(i) else None for i in images]
            *before, last = strips or [None]
            if last is not None:
                _picture(last, self.folder / SAMPLES)
            lines = [strip for strip in before if strip is not None and last is not None]
            # a line for each test, or nobody could tell which line is whose
            if lines and len(lines) == len(before) and len({strip.shape for strip in lines}) == 1:
                _picture(np.concatenate(lines), self.folder / EARLIER)
            found = readable(TESTS, plain(tests))
            text = json.dumps({"schema": SCHEMA, "tests": found}, indent=1) + "\n"
            write_atomic(self.folder / "final.json", text)

    def answer(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """What a later measurement needs of the answer, where it is not too large to be kept."""
        from safetensors.numpy import save

        size = sum(a.nbytes for a in arrays.values())
        if size > ANSWER_LIMIT:
            LOG.warning(
                f"{ANSWER}: its {size / 2**20:.0f} MiB are not kept, at most "
                f"{ANSWER_LIMIT >> 20} are, so no other metric can be measured later"
            )
            return
        with storing(self.folder):
            content = save({name: np.ascontiguousarray(a) for name, a in arrays.items()})
            self._hold()
            write_atomic(self.folder / ANSWER, content)

    def close(self, status: str) -> None:
        """What only a resumed run needs goes, unless the run can be resumed."""
        self._calls.close()
        self._proposals.close()
        self._trials.close()
        if status in CLOSED:
            shutil.rmtree(self.folder / STATES, ignore_errors=True)
        if status in DONE:
            with suppress(OSError):
                (self.folder / CALLS).unlink()


def _nothing() -> None:
    pass


def _part_from_others(folder: Path) -> None:
    """Leave the files to which lines are added to a process that lost the run and has them open."""
    for name in ("proposals.jsonl", TRIALS):
        (folder / name).unlink(missing_ok=True)
    calls, copy = folder / CALLS, folder / f".{CALLS}.copy"
    if calls.is_file() and not calls.is_symlink() and not too_long(calls):
        copy.unlink(missing_ok=True)
        shutil.copy2(calls, copy)
        os.replace(copy, calls)


def _picture(pixels: NDArray[np.uint8], path: Path) -> None:
    """(H, W, 3) as PNG. Raises OSError."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    write_atomic(path, content.getvalue())


def _remove_scratch(folder: Path) -> None:
    """What a process left that was killed while it wrote."""
    patterns = (".*.json*.*", f".{ANSWER}*", ".samples.png*", ".earlier.png*", f"{STATES}/*.part")
    for path in (found for pattern in patterns for found in folder.glob(pattern)):
        path.unlink()
