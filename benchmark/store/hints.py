"""What the workers of a folder tell each other of its runs, so that none tries what others have.

An empty file for each run, all in one folder: one listing says what a look at every run would.
They are hints: a lease alone decides who has a run, and one without a hint is tried.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.spec import RunSpec
from benchmark.store.files import root_of

HINTS = ".workers"
_HELD, _DONE, _FAILED = "held", "done", "failed"


@dataclass(frozen=True)
class Hints:
    """Names of runs: those that a worker has, and those that are stored, which may have failed."""

    held: frozenset[str]
    done: frozenset[str]
    failed: frozenset[str]

    @property
    def stored(self) -> frozenset[str]:
        return self.done | self.failed

    def choose(
        self, waiting: Sequence[RunSpec], rng: random.Random
    ) -> tuple[list[RunSpec], list[RunSpec]]:
        """Those to try, and those that others have; stored ones are in neither.

        The first ones are in a random order, or workers that start at once would all try the same.
        """
        stored = self.stored
        left = [spec for spec in waiting if spec.run_id not in stored]
        free = [spec for spec in left if spec.run_id not in self.held]
        # about as many others may be choosing right now as are at work
        near = 2 * (len(self.held) + 1)
        front = free[:near]
        rng.shuffle(front)
        return front + free[near:], [spec for spec in left if spec.run_id in self.held]


def read_hints(root: Path) -> Hints:
    found: dict[str, set[str]] = {kind: set() for kind in (_HELD, _DONE, _FAILED)}
    with suppress(OSError):
        for name in os.listdir(root / HINTS):
            run, _, kind = name.partition(".")
            if kind in found:
                found[kind].add(run)
    return Hints(*(frozenset(found[kind]) for kind in (_HELD, _DONE, _FAILED)))


def _path(folder: Path, kind: str) -> Path:
    return root_of(folder) / HINTS / f"{folder.name}.{kind}"


def _put(path: Path) -> None:
    # a hint that cannot be given costs a look, no run
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        path.touch()


def _take(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def hint_held(folder: Path, held: bool) -> None:
    """Of the run in a folder TASK/METHOD/RUN."""
    (_put if held else _take)(_path(folder, _HELD))


def hint_stored(folder: Path, failed: bool) -> None:
    """The run in a folder is stored."""
    # it may have failed before
    _take(_path(folder, _DONE if failed else _FAILED))
    _put(_path(folder, _FAILED if failed else _DONE))


def unhint(folder: Path) -> None:
    """The run in a folder is no longer stored."""
    for kind in (_DONE, _FAILED):
        _take(_path(folder, kind))
