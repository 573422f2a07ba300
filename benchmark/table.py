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
from benchmark.store import DONE, Store, Stored

COLUMNS = (
    "task", "preset", "method", "lower", "seed", "prompt", "status", "fid", "clip", "inception_score", "search_seconds",
    "total_seconds", "nfe", "peak_memory_bytes", "overrun_seconds", "run_id",
)  # fmt: skip
LOWER_IS_BETTER: dict[str, bool | None] = {
    "fid": True,
    "objective": True,
    "clip": False,
    "accuracy": False,
    "reward": None,  # what guidance pushes: more of it is not better
    "inception_score": False,
}


def standing(run: Stored, at: Budget | None) -> dict[str, Any]:
    """The measurement that counts: the last one, or (`at`) that of the proposal that stood then. Raises UsageError."""
    if at is None:
        return run.tests[-1]
    unit = "nfe" if at.unit == "nfe" else "seconds"
    default = {"seconds": 0.0, "nfe": 0}  # what stands before the first proposal
    wanted = [default, *(p for p in run.proposals if p[unit] <= at.amount)][-1]
    for test in run.tests:
        if test["seconds"] == wanted["seconds"] and test["nfe"] == wanted["nfe"]:
            return test
    where = f"run {run.run['run_id']} ({run.run['spec']['method']})"
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
            files = {k: v for k, v in spec["fingerprint"].items() if not k.startswith("method ")}
            settings = {"task": spec["task_options"], "device": spec["device"], **test["passport"]}
            settings |= {"version": spec["task_version"], "files": files}
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
    """One method (on one lower-level solver). time: mean seconds of search. bold: metrics that tie with the best.

    variant: the options in which it differs from the same method elsewhere in the table.  stored: its finished runs.
    """

    method: str
    lower: str
    variant: str
    metrics: dict[str, Estimate]
    time: float
    runs: int
    failed: int
    bold: set[str]
    stored: list[Stored]

    @property
    def label(self) -> str:
        inside = ", ".join(filter(None, (self.lower, self.variant)))
        return f"{self.method} ({inside})" if inside else self.method


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
    """The table of a part of the runs, which its index names."""
    done = part["status"].isin(DONE)
    metrics = [m for m in LOWER_IS_BETTER if m in part.columns and part.loc[done, m].notna().any()]
    keys = sorted(set(zip(part["method"], part["lower"], part["variant"], strict=True)))
    names = pd.Series(list(zip(part["method"], part["lower"], part["variant"], strict=True)), part.index)
    groups = {key: part[[name == key for name in names]] for key in keys}
    ties = {
        metric: best({str(key): _values(rows, metric) for key, rows in groups.items()}, down)
        for metric in metrics
        if (down := LOWER_IS_BETTER[metric]) is not None
    }
    table = []
    for key, rows in groups.items():
        good = rows[rows["status"].isin(DONE)]
        table.append(
            Row(
                method=key[0],
                lower=key[1],
                variant=key[2],
                metrics={m: estimate(v) for m in metrics if (v := _values(rows, m))},
                time=float(good["search_seconds"].mean()) if len(good) else np.nan,
                runs=len(rows),
                failed=int((rows["status"] == "failed").sum()),
                bold={m for m in metrics if str(key) in ties.get(m, ())},
                stored=[runs[i] for i in good.index],
            )
        )
    return Table(title, metrics, table, [runs[i] for i in part.index])


def _newest(runs: Iterable[Stored]) -> list[Stored]:
    """One run for each cell: where only the marks differ, a finished one before a failed one, then the newest."""
    cells: dict[str, Stored] = {}
    for run in sorted(runs, key=lambda r: (r.done, str(r.run.get("started")))):
        cells[json.dumps({**run.run["spec"], "marks": None}, sort_keys=True)] = run
    return sorted(cells.values(), key=lambda r: str(r.folder))


def _variants(runs: list[Stored]) -> list[str]:
    """For each run, the options that are not the same in all runs of its method and solver."""
    seen: dict[tuple[str, str, str], set[str]] = {}
    for spec in (r.run["spec"] for r in runs):
        for name, value in spec["method_options"].items():
            seen.setdefault((spec["method"], spec["lower"], name), set()).add(str(value))
    return [
        ", ".join(
            f"{k}={v}" for k, v in sorted(s["method_options"].items()) if len(seen[s["method"], s["lower"], k]) > 1
        )
        for s in (r.run["spec"] for r in runs)
    ]


def tables(runs: Iterable[Stored], at: Budget | None = None) -> list[Table]:
    """Comparable sets, each a table. A failed run, which has no passport, joins the sets of its task, preset and budget."""
    stored = _newest(r for r in runs if r.run["status"] in (*DONE, "failed"))
    found = frame(stored, at)
    found["variant"] = _variants(stored)
    result = []
    for (task, preset, budget), part in found.groupby(["task", "preset", "budget"], sort=True) if len(found) else ():
        passports = sorted(set(part["passport"]) - {""}) or [""]
        for passport in passports:
            chosen = part[part["passport"].isin([passport, ""])]
            title = f"{task}, {preset}, budget {budget}" + (f", at {at}" if at else "")
            if len(passports) > 1:
                title += f", settings {passport}"
            result.append(_table(title, chosen, stored))
    return result
