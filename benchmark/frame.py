"""Stored runs as one frame, a row each: what tables are computed from, and what `runs.csv` holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.budget import Budget
from benchmark.columns import METRICS
from benchmark.errors import UsageError
from benchmark.escape import csv, from_csv
from benchmark.store import Store, Stored

REFERENCE = "reference."
"""What the columns of reference lines begin with: `reference.<line>.<metric>`."""
COLUMNS = (
    "task", "preset", "method", "lower", "seed", "prompt", "status", "fid", "clip", "inception_score", "search_seconds",
    "total_seconds", "nfe", "peak_memory_bytes", "overrun_seconds", "run_id",
)  # fmt: skip
_LIMIT = 64 * 2**20  # bytes of a runs.csv
_TEXT = (
    "task",
    "preset",
    "method",
    "lower",
    "prompt",
    "status",
    "run_id",
    "budget",
    "passport",
    "variant",
    "known",
    "machine",
)


def standing(run: Stored, at: Budget | None) -> dict[str, Any] | None:
    """The measurement that counts: the last one, or (`at`) that of the proposal that stood then. None where the run had
    proposed nothing by then. Raises UsageError where what stood was not measured.
    """
    if at is None:
        return run.tests[-1] if run.tests else None
    unit = "nfe" if at.unit == "nfe" else "seconds"
    stood = [p for p in run.proposals if p[unit] <= at.amount]
    if not stood:
        return None
    wanted = stood[-1]
    for test in run.tests:
        if test["seconds"] == wanted["seconds"] and test["nfe"] == wanted["nfe"]:
            return test
    where = f"run {run.run['run_id']} ({run.run['spec']['method']})"
    raise UsageError(f"--at {at}: what stood then was not measured in {where}; run with --marks {at}")


def frame(runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> pd.DataFrame:
    """One row a run: COLUMNS, then other metrics, reference lines and the passport, then lam.<name>. Empty where a run has
    no value: it failed, or proposed nothing in time.

    With `at`, seconds and evaluations are those spent by then: exact in the unit of `at`, in the other what the
    standing proposal had cost. Peak memory is always that of the whole run. across: task options are no part of the
    passport, so that an ablation of one can be a table; what was measured, and how, still is.
    """
    rows = []
    for run in runs:
        record, spec = run.run, run.run["spec"]
        row: dict[str, Any] = {c: spec.get(c, record.get(c)) for c in COLUMNS}
        row |= {
            "jobs": record.get("jobs", 1),
            "budget": spec["budget"],
            "total_seconds": sum(record["ledger"].values()),
            "passport": "",
            "machine": _machine(record),
            "known": _known(spec, across),
        }
        if run.done and at is not None:
            row["search_seconds" if at.unit == "s" else "nfe"] = _by(at, record)
        if run.done and (test := standing(run, at)) is not None:
            row |= test["metrics"] | {f"lam.{k}": v for k, v in test["lam"].items()}
            row |= {f"{REFERENCE}{k}.{m}": v for k, line in test.get("references", {}).items() for m, v in line.items()}
            settings = (own := _settings(spec, across)) | test["passport"] | {k: own[k] for k in ("version", "files")}
            row |= {k: test["passport"][k] for m in METRICS if (k := f"{m}_name") in test["passport"]}
            for key in ("fid_reference",):  # each prompt has its own reference; the prompt is in the row
                settings.pop(key, None)
            row["passport"] = _hash(settings)
            if at is not None:
                other = "nfe" if at.unit == "s" else "search_seconds"
                row[other] = test["nfe" if at.unit == "s" else "seconds"]
        rows.append(row)
    found = pd.DataFrame(rows)
    if found.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    last = sorted(c for c in found.columns if c.startswith("lam."))
    rest = sorted(c for c in found.columns if c not in COLUMNS and c not in last)
    return found[[*COLUMNS, *rest, *last]]


def _settings(spec: Mapping[str, Any], across: bool) -> dict[str, Any]:
    """What must agree in a table, as far as it is known before anything is measured."""
    files = {k: v for k, v in spec["fingerprint"].items() if not k.startswith("method ")}
    options = {} if across else spec["task_options"]
    return {"task": options, "device": spec["device"], "version": spec["task_version"], "files": files}


def _known(spec: Mapping[str, Any], across: bool) -> str | None:
    """The settings' hash; None under schema 1, whose tables were made without."""
    return _hash(_settings(spec, across)) if "suite" in spec["fingerprint"] else None


def _hash(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _machine(record: Mapping[str, Any]) -> str | None:
    """The kind of machine, where that is known: the CPU's model and, for a run on one, the GPU's name."""
    found: Mapping[str, str] = record.get("environment", {})
    if not (cpu := found.get("cpu")):
        return None
    on_gpu = str(record["spec"]["device"]).startswith("cuda")
    return ", ".join(filter(None, (cpu, found.get("gpu") if on_gpu else "")))


def _by(at: Budget, record: Mapping[str, Any]) -> float:
    """What a run had spent by then, in the unit of `at`."""
    return float(min(at.amount, record["search_seconds" if at.unit == "s" else "nfe"]))


def load_results(folder: str | Path = "results/runs") -> pd.DataFrame:
    """The stored runs below a folder as a DataFrame, one row a run. Raises UsageError for runs that cannot be read."""
    return frame(Store(Path(folder)))


def read_frame(path: Path) -> pd.DataFrame:
    """The rows of a report's `runs.csv`, as `frame` gave them. Raises UsageError."""
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError(f"it is larger than {_LIMIT} bytes")
        found = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False, na_values=[""])
        if missing := sorted({*COLUMNS, "budget", "passport"} - set(found.columns)):
            raise ValueError(f"it has no column {', '.join(missing)}")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: expected the runs.csv of a report; {error}") from error
    found = found.rename(columns=from_csv)
    for c in found:
        if not pd.api.types.is_numeric_dtype(found[c]):
            found[c] = found[c].map(from_csv, na_action="ignore")
    return found.assign(**{c: found[c].fillna("") if c in found else "" for c in _TEXT})


def write_frame(found: pd.DataFrame) -> str:
    """The text of a `runs.csv`, which `read_frame` reads."""
    texts = found.copy()
    for c in texts:
        if not pd.api.types.is_numeric_dtype(texts[c]):
            texts[c] = texts[c].map(_text)
    return str(texts.rename(columns=csv).to_csv(index=False, float_format="%.10g"))


def _text(value: object) -> object:
    return csv(value) if isinstance(value, str) else value
