"""From stored runs to the numbers of a table: one frame of runs, one group for each comparable set, one row a method."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.stats import Estimate, Values, best, estimate
from benchmark.store import Store, Stored

COLUMNS = (
    "task", "preset", "method", "lower", "seed", "prompt", "status", "fid", "clip", "inception_score", "search_seconds",
    "total_seconds", "nfe", "peak_memory_bytes", "overrun_seconds", "run_id",
)  # fmt: skip
LOWER_IS_BETTER = {
    "fid": True,
    "objective": True,
    "clip": False,
    "accuracy": False,
    "reward": False,
    "inception_score": False,
}


def standing(run: Stored, at: Budget | None) -> dict[str, Any]:
    """The measurement that counts: the last one, or (`at`) that of the proposal that stood then. Raises UsageError."""
    if at is None:
        return run.tests[-1]
    unit = "nfe" if at.unit == "nfe" else "seconds"
    before = [p for p in run.proposals if p[unit] <= at.amount]
    wanted = before[-1] if before else None
    for test in run.tests:
        if wanted is not None and test["seconds"] == wanted["seconds"] and test["nfe"] == wanted["nfe"]:
            return test
    where = f"run {run.run['run_id']} ({run.run['spec']['method']})"
    if wanted is None:
        raise UsageError(f"--at {at}: no proposal had been made by then in {where}; choose a later moment")
    raise UsageError(f"--at {at}: what stood then was not measured in {where}; run with --marks {at}")


def frame(runs: Iterable[Stored], at: Budget | None = None) -> pd.DataFrame:
    """One row a run: COLUMNS, then other metrics, then lam.<name> and the passport. Empty where a run has no value."""
    rows = []
    for run in runs:
        record, spec = run.run, run.run["spec"]
        row: dict[str, Any] = {c: spec.get(c, record.get(c)) for c in COLUMNS}
        row |= {"budget": spec["budget"], "total_seconds": sum(record["ledger"].values()), "passport": ""}
        if run.done and run.tests:
            test = standing(run, at)
            row |= test["metrics"] | {f"lam.{k}": v for k, v in test["lam"].items()}
            settings = {"task": spec["task_options"], "device": spec["device"], **test["passport"]}
            settings |= {"version": spec["task_version"], "files": spec["fingerprint"]}
            for key in ("fid_reference",):  # each prompt has its own reference; the prompt is in the row
                settings.pop(key, None)
            row["passport"] = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
            if at is not None:
                row["search_seconds"] = min(at.amount, record["search_seconds"]) if at.unit == "s" else test["seconds"]
        rows.append(row)
    found = pd.DataFrame(rows)
    if found.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    last = sorted(c for c in found.columns if c.startswith("lam."))
    rest = sorted(c for c in found.columns if c not in COLUMNS and c not in last)
    return found[[*COLUMNS, *rest, *last]]


def load_results(folder: str | Path = "results/runs") -> pd.DataFrame:
    """The stored runs below a folder as a DataFrame, one row a run. Raises UsageError for runs that cannot be read."""
    return frame(Store(Path(folder)))


@dataclass(frozen=True)
class Row:
    """One method (on one lower-level solver). time: mean seconds of search. bold: metrics that tie with the best."""

    method: str
    lower: str
    metrics: dict[str, Estimate]
    time: float
    runs: int
    failed: int
    bold: set[str]

    @property
    def label(self) -> str:
        return f"{self.method} ({self.lower})" if self.lower else self.method


@dataclass(frozen=True)
class Table:
    """One comparable set of runs: same task, preset, budget, device and passport."""

    title: str
    metrics: list[str]
    rows: list[Row]
    runs: list[Stored]


def _values(part: pd.DataFrame, metric: str) -> Values:
    kept = part.dropna(subset=[metric])
    return {(int(s), str(p)): float(v) for s, p, v in zip(kept["seed"], kept["prompt"], kept[metric], strict=True)}


def _table(title: str, part: pd.DataFrame, runs: list[Stored]) -> Table:
    done = part[part["status"].isin(["ok", "budget_exhausted"])]
    metrics = [m for m in LOWER_IS_BETTER if m in part.columns and done[m].notna().any()]
    names = {(m, low): f"{m}/{low}" for m, low in zip(part["method"], part["lower"], strict=True)}
    groups = {key: part[(part["method"] == key[0]) & (part["lower"] == key[1])] for key in sorted(names)}
    ties = {
        metric: best({names[key]: _values(rows, metric) for key, rows in groups.items()}, LOWER_IS_BETTER[metric])
        for metric in metrics
    }
    table = []
    for key, rows in groups.items():
        good = rows[rows["status"].isin(["ok", "budget_exhausted"])]
        table.append(
            Row(
                method=key[0],
                lower=key[1],
                metrics={m: estimate(v) for m in metrics if (v := _values(rows, m))},
                time=float(good["search_seconds"].mean()) if len(good) else np.nan,
                runs=len(rows),
                failed=int((rows["status"] == "failed").sum()),
                bold={m for m in metrics if names[key] in ties[m]},
            )
        )
    return Table(title, metrics, table, runs)


def tables(runs: Iterable[Stored], at: Budget | None = None) -> list[Table]:
    """Comparable sets, each a table. A failed run, which has no passport, joins the sets of its task, preset and budget."""
    stored = [r for r in runs if r.run["status"] in ("ok", "budget_exhausted", "failed")]
    found = frame(stored, at)
    result = []
    for (task, preset, budget), part in found.groupby(["task", "preset", "budget"], sort=True) if len(found) else ():
        passports = sorted(set(part["passport"]) - {""}) or [""]
        for passport in passports:
            chosen = part[part["passport"].isin([passport, ""])]
            title = f"{task}, {preset}, budget {budget}" + (f", at {at}" if at else "")
            if len(passports) > 1:
                title += f", settings {passport}"
            result.append(_table(title, chosen, [stored[i] for i in chosen.index]))
    return result
