"""What a lam is worth by itself: the measurements of fresh trainings, a file for each lam and seed.

They lie beside the runs, below `refits/`, and belong to no run: methods that found the same lam
share them. So a run's folder stays as it was sealed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, model_validator

from benchmark.errors import UsageError
from benchmark.names import REFIT
from benchmark.store.schema import Count, Seconds, Text
from benchmark.store.signed import read_signed, write_signed

REFITS = "refits"
_DECISIVE = (
    "task",
    "task_options",
    "task_version",
    "lower",
    "seed",
    "prompt",
    "device",
)


class _Measured(BaseModel):
    """After so many steps of a training."""

    steps: Count
    metrics: dict[Text, FiniteFloat]


class _Training(BaseModel):
    seconds: Seconds
    measured: Annotated[list[_Measured], Field(min_length=1)]


class RefitRecord(BaseModel):
    """A file of `refits/`. wanted: how many trainings there shall be.  of: what decides them."""

    of: dict[str, Any]
    wanted: Annotated[int, Field(ge=1, le=10**6, strict=True)]
    trainings: list[_Training]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        shapes = {tuple((m.steps, *sorted(m.metrics)) for m in t.measured) for t in self.trainings}
        if len(shapes) > 1 or len(self.trainings) > self.wanted:
            raise ValueError(f"expected {self.wanted} trainings with the same steps and metrics")
        return self


_RECORD = TypeAdapter(RefitRecord)


def decisive(spec: Mapping[str, Any], lam: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides a refit: the task with its options and files, the run's seed, and lam.

    spec: of a run.  lam: native values by axis.
    """
    # whichever method found lam
    files = {k: v for k, v in spec["fingerprint"].items() if not k.startswith("method ")}
    return {**{name: spec[name] for name in _DECISIVE}, "fingerprint": files, "lam": dict(lam)}


def path_of(root: Path, of: Mapping[str, Any]) -> Path:
    """root: the folder of the runs.  of: as `decisive` gives it."""
    return root / REFITS / _name(of)


def _name(of: Mapping[str, Any]) -> str:
    return f"{hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]}.json"


def write_refit(path: Path, record: Mapping[str, Any]) -> None:
    """record: the fields of `RefitRecord`. Raises StorageError."""
    write_signed(path, record)


def read_refit(path: Path) -> dict[str, Any] | None:
    """The fields of `RefitRecord`; None where there is no such file.

    Raises UsageError for one that cannot be read, was altered, or is of another lam.
    """
    record = read_signed(path, _RECORD, "a refit", "`bench refit`")
    # its hash says that it is whole, not that it belongs here
    if record is not None and (own := _name(record["of"])) != path.name:
        raise UsageError(
            f"{path}: expected the refit that its name says, got that of {own}; remove it, and "
            "`bench refit` makes it again"
        )
    return record


def refitted(
    root: Path, spec: Mapping[str, Any], lam: Mapping[str, Any]
) -> tuple[dict[str, float], str]:
    """The metrics of a lam's refits, each the mean over the trainings, and what these were.

    Nothing until all are there. Raises UsageError.
    """
    record = read_refit(path_of(root, decisive(spec, lam)))
    if record is None or len(record["trainings"]) < record["wanted"]:
        return {}, ""
    each = [t["measured"] for t in record["trainings"]]
    found: dict[str, float] = {}
    for column in zip(*each, strict=True):
        steps = column[0]["steps"]
        end = REFIT if steps == each[0][-1]["steps"] else f"{REFIT}_{steps}"
        found |= {f"{m}{end}": v for m, v in _means([c["metrics"] for c in column]).items()}
    lengths = " and ".join(str(m["steps"]) for m in each[0])
    return (
        found,
        f"{len(each)} fresh trainings of {lengths} steps at its lam, on seeds of their own",
    )


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(v[name] for v in values) for name in values[0]}
