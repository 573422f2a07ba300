"""The result store: one folder per run, written atomically, named by the hash of the run's specification."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError
from benchmark.plan import SCHEMA, RunSpec

DONE = ("ok", "budget_exhausted")
_LIMIT = 64 * 2**20  # bytes of one file that is read; a run of 10,000 proposals needs under 3 MB


@dataclass(frozen=True)
class Stored:
    """A run as it lies on the disk. torn: proposal lines that were dropped because they were cut short."""

    folder: Path
    run: Mapping[str, Any]
    proposals: list[dict[str, Any]] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)
    torn: int = 0

    @property
    def done(self) -> bool:
        return self.run["status"] in DONE


def write_atomic(path: Path, text: str) -> None:
    """Replace the file as a whole, or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)


def _plain(value: Any) -> Any:
    """JSON without Infinity and NaN, which are not JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def make_folder(path: Path) -> None:
    """Make a folder for output, and see that it can be written. Raises UsageError."""
    probe = path / f".writable.{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except (OSError, ValueError) as error:
        raise UsageError(f"output {str(path)!r}: expected a folder that can be written; {error}") from error


class Writer:
    """Writes one run's folder: status first, proposals as they come, measurements and status last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._proposals = open(folder / "proposals.jsonl", "w", encoding="utf-8")  # noqa: SIM115

    def run(self, record: Mapping[str, Any]) -> None:
        write_atomic(self.folder / "run.json", json.dumps(_plain(record), indent=1) + "\n")

    def proposal(self, line: Mapping[str, Any]) -> None:
        self._proposals.write(json.dumps(_plain(line)) + "\n")
        self._proposals.flush()

    def final(self, tests: list[dict[str, Any]], images: NDArray[np.uint8]) -> None:
        if len(images):
            from PIL import Image

            scratch = self.folder / ".samples.png"
            Image.fromarray(np.concatenate(list(images), axis=1)).save(scratch, format="PNG")
            os.replace(scratch, self.folder / "samples.png")
        write_atomic(
            self.folder / "final.json", json.dumps(_plain({"schema": SCHEMA, "tests": tests}), indent=1) + "\n"
        )

    def close(self) -> None:
        self._proposals.close()


class Store:
    """The runs below one folder: `<task>/<method>/<run id>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder and see that it can be written. Raises UsageError."""
        make_folder(self.root)

    def folder(self, spec: RunSpec) -> Path:
        return self.root / spec.task / spec.method / spec.run_id

    def find(self, spec: RunSpec) -> Stored | None:
        """The stored run of this very specification, if there is one."""
        folder = self.folder(spec)
        return read(folder) if (folder / "run.json").exists() else None

    def __iter__(self) -> Iterator[Stored]:
        for path in sorted(self.root.glob("*/*/*/run.json")):
            yield read(path.parent)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError(f"it is larger than {_LIMIT} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected a run's JSON; {error}; remove that folder to leave the run out") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        version = found.get("schema") if isinstance(found, dict) else None
        raise UsageError(
            f"{path}: expected schema {SCHEMA}, got {version}; read it with the version of the suite that wrote it"
        )
    return found


def read(folder: Path) -> Stored:
    """Read one run's folder. Raises UsageError for broken JSON or another schema; torn lines are dropped and counted."""
    run = _json(folder / "run.json")
    for key, kind in (("spec", dict), ("status", str), ("ledger", dict), ("run_id", str)):
        if not isinstance(run.get(key), kind):
            raise UsageError(f"{folder / 'run.json'}: expected {key!r} as a {kind.__name__}, got {run.get(key)!r}")
    proposals: list[dict[str, Any]] = []
    torn = 0
    path = folder / "proposals.jsonl"
    if path.exists():
        if path.stat().st_size > _LIMIT:
            raise UsageError(f"{path}: expected at most {_LIMIT} bytes")
        for line in path.read_bytes().splitlines():
            try:
                proposals.append(_proposal(json.loads(line)))
            except (ValueError, KeyError, TypeError):
                torn += 1
    tests: list[dict[str, Any]] = []
    final = folder / "final.json"
    if final.exists() or run["status"] in DONE:
        tests = _json(final).get("tests", [])
        try:
            tests = [_test(t) for t in tests]
        except (ValueError, KeyError, TypeError, AttributeError):
            tests = []
        if not tests:
            raise UsageError(f"{final}: expected measurements under 'tests'; remove that folder to leave the run out")
    return Stored(folder, run, proposals, tests, torn)


def _test(found: Any) -> dict[str, Any]:
    """A measurement; its curves as arrays, (3, M), none in runs from before there were any."""
    curves = {str(k): np.array(v, dtype=np.float64) for k, v in found.get("curves", {}).items()}
    if any(c.ndim != 2 or len(c) != 3 for c in curves.values()):
        raise ValueError("a curve is (3, M)")
    return _proposal(found) | {
        "metrics": dict(found["metrics"]), "passport": dict(found["passport"]), "curves": curves,
    }  # fmt: skip


def _proposal(found: Any) -> dict[str, Any]:
    return {
        "seconds": float(found["seconds"]),
        "nfe": int(found["nfe"]),
        "lam": {str(k): float(v) for k, v in found["lam"].items()},
        "loss": float(found["loss"]),
    }
