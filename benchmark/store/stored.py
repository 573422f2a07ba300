"""A stored run as it is read from its folder; everything passes `benchmark/store/schema.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError, one_line
from benchmark.spec import SCHEMAS
from benchmark.store.bounded import read_bounded
from benchmark.store.files import root_of
from benchmark.store.measured import MEASURED, measured
from benchmark.store.refits import REFITS, refitted
from benchmark.store.schema import (
    ALL_PROPOSALS,
    ALL_TRIALS,
    CLOSED,
    DONE,
    RUN,
    TESTS,
    check,
)
from benchmark.store.seal import ANSWER, TRIALS

# bytes of one file; a run of 10,000 proposals needs under 3 MB
LIMIT = 64 * 2**20
# of what is kept of an answer
ANSWER_LIMIT = 32 * 2**20


@dataclass(frozen=True)
class Stored:
    """A run as it lies on the disk.

    torn: proposal lines that were cut short, and dropped.  passed_over: folders beside it that were
    not read, since they have another name than their run.  digest: SHA-256 of its run.json, which
    has those of its other files.
    """

    folder: Path
    run: Mapping[str, Any]
    proposals: list[dict[str, Any]] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)
    torn: int = 0
    passed_over: tuple[str, ...] = ()
    digest: str = ""

    @cached_property
    def trials(self) -> list[dict[str, Any]]:
        """Each evaluation of F, read when it is first asked for: no table needs them.

        [] where the run had none, or was stored before they were kept. Raises UsageError.
        """
        return read_trials(self.folder)[0]

    @property
    def done(self) -> bool:
        return self.run["status"] in DONE

    @property
    def open(self) -> bool:
        """Neither finished nor failed: it was cut short, or is at work now."""
        return self.run["status"] not in CLOSED


class Misplaced(UsageError):
    """A run in a folder of another name: a copy, or one that was renamed."""


def read(folder: Path) -> Stored:
    """Read one run's folder; torn lines are dropped and counted.

    Raises UsageError for broken JSON or another schema, and Misplaced where the folder is not
    called as the run.
    """
    digest: list[str] = []
    run = _checked(folder / "run.json", RUN, _json(folder / "run.json", digest))
    if folder.name != run["run_id"]:
        raise Misplaced(
            f"{folder}: its folder is called {folder.name}, the run {run['run_id']}; rename it, "
            "or move it elsewhere"
        )
    proposals, torn = _lines(folder / "proposals.jsonl", ALL_PROPOSALS, "proposals")
    tests = _tests(folder / "final.json", run["no_incumbent"]) if run["status"] in DONE else []
    _with_refits(tests, folder, run["spec"])
    _with_measured(tests, folder)
    return Stored(folder, run, proposals, tests, torn, digest=digest[0])


def read_trials(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """The evaluations of F of a run, and how many lines were torn. Raises UsageError."""
    return _lines(folder / TRIALS, ALL_TRIALS, "trials")


def trials_of(run: Stored) -> list[dict[str, Any]]:
    """Evaluations of F; none where their file cannot be read."""
    try:
        return run.trials
    except UsageError:
        return []


def _lines(path: Path, kind: Any, what: str) -> tuple[list[dict[str, Any]], int]:
    """The lines of a file that can be read, and how many are torn. kind: of all of them."""
    found: list[dict[str, Any]] = []
    torn = 0
    if not path.exists():
        return found, torn
    try:
        text = read_bounded(path, LIMIT)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected a run's {what}; {error}") from error
    lines = text.splitlines()
    # all at once, which is right of nearly every file and takes a third of the time
    with suppress(ValueError, RecursionError):
        whole: list[dict[str, Any]] = check(kind, json.loads(b"[%s]" % b",".join(lines)))
        if len(whole) == len(lines):
            return whole, 0
    for line in lines:
        try:
            found += check(kind, [json.loads(line)])
        except (ValueError, RecursionError):
            torn += 1
    return found, torn


def _tests(path: Path, no_incumbent: bool) -> list[dict[str, Any]]:
    """The measurements of a finished run."""
    tests: list[dict[str, Any]] = _checked(path, TESTS, _json(path).get("tests"))
    if not tests and not no_incumbent:
        raise UsageError(
            f"{path}: expected a measurement, got none; remove that folder to leave the run out"
        )
    # earlier versions measured the default, which no search had paid for, before any proposal
    tests = [t for t in tests if not no_incumbent and (t["seconds"] > 0 or t["nfe"] > 0)]
    for test in tests:
        test["curves"] = {k: np.array(v) for k, v in test["curves"].items()}
    return tests


def _with_refits(tests: list[dict[str, Any]], folder: Path, spec: Mapping[str, Any]) -> None:
    """Add what is known of each answer by itself to its metrics. Raises UsageError."""
    root = root_of(folder)
    if (root / REFITS).is_dir():
        for test in tests:
            metrics, what = refitted(root, spec, test["lam"])
            if metrics:
                test["metrics"] |= metrics
                test["passport"] |= {REFITS: what}


def _with_measured(tests: list[dict[str, Any]], folder: Path) -> None:
    """Add what was measured of the last answer later. Raises UsageError."""
    metrics, how = measured(folder)
    if tests and metrics:
        # what the run itself measured is not replaced
        tests[-1]["metrics"] = {**metrics, **tests[-1]["metrics"]}
        tests[-1]["passport"] |= {MEASURED: "; ".join(f"{name}: {how[name]}" for name in how)}


def read_answer(folder: Path) -> dict[str, NDArray[Any]]:
    """What was kept of the answer at the end, as arrays by name. Raises UsageError for none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / ANSWER
    try:
        return dict(load(read_bounded(path, 2 * ANSWER_LIMIT)))
    except (OSError, ValueError, SafetensorError) as error:
        raise UsageError(
            f"{path}: expected what a measurement needs of the answer; {one_line(str(error))}; "
            "runs of earlier versions have none, and must be run again"
        ) from error


def is_closed(folder: Path) -> bool:
    """Whether the run in a folder has ended, well or not; False where that cannot be read."""
    try:
        return _json(folder / "run.json").get("status") in CLOSED
    except UsageError:
        return False


def unfinished(folder: Path) -> dict[str, Any] | None:
    """The record of a run that was cut short; None where there is none, or it cannot be read."""
    try:
        found: dict[str, Any] = check(RUN, _json(folder / "run.json"))
    except (UsageError, ValueError):
        return None
    return found if found["status"] not in CLOSED else None


def _json(path: Path, digest: list[str] | None = None) -> dict[str, Any]:
    """digest: takes the SHA-256 of what was read."""
    try:
        content = read_bounded(path, LIMIT)
        if digest is not None:
            digest.append(hashlib.sha256(content).hexdigest())
        found = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: expected a run's JSON; {error}; remove that folder to leave the run out"
        ) from error
    if not isinstance(found, dict) or found.get("schema") not in SCHEMAS:
        version = found.get("schema") if isinstance(found, dict) else None
        raise UsageError(
            f"{path}: expected schema {' or '.join(map(str, SCHEMAS))}, got {version}; "
            "read it with the version of the suite that wrote it"
        )
    return found


def _checked(path: Path, kind: Any, found: object) -> Any:
    try:
        return check(kind, found)
    except ValueError as error:
        raise UsageError(
            f"{path}: expected a run's record; {error}; remove that folder to leave the run out"
        ) from error
