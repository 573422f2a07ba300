"""From stored runs to the numbers of a table: one frame of runs, one group for each comparable set, one row a method."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.budget import Budget, Unit
from benchmark.columns import COSTS, METRICS
from benchmark.errors import UsageError
from benchmark.schema import DONE
from benchmark.stats import Estimate, Values, best
from benchmark.store import Store, Stored

COLUMNS = (
    "task", "preset", "method", "lower", "seed", "prompt", "status", "fid", "clip", "inception_score", "search_seconds",
    "total_seconds", "nfe", "peak_memory_bytes", "overrun_seconds", "run_id",
)  # fmt: skip
_LIMIT = 64 * 2**20  # bytes of a runs.csv
_TEXT = ("task", "preset", "method", "lower", "prompt", "status", "run_id", "budget", "passport", "variant")


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


def frame(runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> pd.DataFrame:
    """One row a run: COLUMNS, then other metrics and the passport, then lam.<name>. Empty where a run has no value.

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
        }
        if run.done and run.tests:
            test = standing(run, at)
            row |= test["metrics"] | {f"lam.{k}": v for k, v in test["lam"].items()}
            files = {k: v for k, v in spec["fingerprint"].items() if not k.startswith("method ")}
            settings = {"task": {} if across else spec["task_options"], "device": spec["device"], **test["passport"]}
            settings |= {"version": spec["task_version"], "files": files}
            row |= {k: test["passport"][k] for m in METRICS if (k := f"{m}_name") in test["passport"]}
            for key in ("fid_reference",):  # each prompt has its own reference; the prompt is in the row
                settings.pop(key, None)
            row["passport"] = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
            if at is not None:
                row["search_seconds"] = min(at.amount, record["search_seconds"]) if at.unit == "s" else test["seconds"]
                row["nfe"] = min(int(at.amount), record["nfe"]) if at.unit == "nfe" else test["nfe"]
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
    return found.assign(**{c: found[c].fillna("") if c in found else "" for c in _TEXT})


@dataclass(frozen=True)
class Row:
    """One method (on one lower-level solver). costs: of the search, by name in COSTS. bold: metrics that tie with the best.

    variant: the options in which it differs from the same method elsewhere in the table.  stored: its finished runs.
    shared: whether any of them ran beside others on one machine.
    """

    method: str
    lower: str
    variant: str
    metrics: dict[str, Estimate]
    costs: dict[str, Estimate]
    runs: int
    failed: int
    bold: set[str]
    stored: list[Stored]
    shared: bool = False

    @property
    def label(self) -> str:
        inside = ", ".join(filter(None, (self.lower, self.variant)))
        return f"{self.method} ({inside})" if inside else self.method

    @property
    def time(self) -> float:
        """Mean seconds of search; nan where no run ended well."""
        return self.costs["time"].mean if "time" in self.costs else np.nan


@dataclass(frozen=True)
class Table:
    """One comparable set of runs: same task, preset, budget, device and passport.

    unit: the budget's.  frame: its part of `frame`, from which all else follows.  names: what a metric's heading adds.
    runs: what is stored of them; empty where the frame was read from a file.  base: what rows without options have.
    """

    title: str
    unit: Unit
    metrics: list[str]
    rows: list[Row]
    frame: pd.DataFrame
    names: dict[str, str] = field(default_factory=dict)
    runs: list[Stored] = field(default_factory=list)
    at: Budget | None = None
    base: str = ""

    def heading(self, metric: str) -> str:
        """Such as `FID (digits)`."""
        return METRICS[metric].head + (f" ({self.names[metric]})" if metric in self.names else "")


def _values(part: pd.DataFrame, column: str) -> Values:
    kept = part.dropna(subset=[column])
    return {(int(s), str(p)): float(v) for s, p, v in zip(kept["seed"], kept["prompt"], kept[column], strict=True)}


def _table(title: str, part: pd.DataFrame, stored: Sequence[Stored], at: Budget | None) -> Table:
    """The table of a part of the runs; its index says which of `stored` they are, if any are."""
    done = part["status"].isin(DONE)
    metrics = [m for m in METRICS if m in part.columns and part.loc[done, m].notna().any()]
    names = {m: str(part[k].dropna().iloc[0]) for m in metrics if (k := f"{m}_name") in part and part[k].notna().any()}
    keys = pd.Series(list(zip(part["method"], part["lower"], part["variant"], strict=True)), part.index)
    groups = {key: part[[k == key for k in keys]] for key in sorted(set(keys))}
    ties = {
        metric: best({str(key): _values(rows, metric) for key, rows in groups.items()}, down)
        for metric in metrics
        if (down := METRICS[metric].lower) is not None
    }
    table = []
    for key, rows in groups.items():
        good = rows[rows["status"].isin(DONE)]
        costs = {c: _values(good, "search_seconds" if c == "time" else c) for c in COSTS}
        table.append(
            Row(
                method=key[0],
                lower=key[1],
                variant=key[2],
                metrics={m: METRICS[m].estimate(v) for m in metrics if (v := _values(rows, m))},
                costs={c: COSTS[c].estimate(v) for c, v in costs.items() if v},
                runs=len(rows),
                failed=int((rows["status"] == "failed").sum()),
                bold={m for m in metrics if str(key) in ties.get(m, ())},
                stored=[stored[i] for i in good.index] if stored else [],
                shared=bool("jobs" in good and (good["jobs"] > 1).any()),
            )
        )
    unit = Budget.parse(part["budget"].iloc[0]).unit
    runs = [stored[i] for i in part.index] if stored else []
    return Table(title, unit, metrics, table, part, names, runs, at)


def _newest(runs: Iterable[Stored]) -> list[Stored]:
    """One run for each cell: where only the marks differ, a finished one before a failed one, then the newest."""
    cells: dict[str, Stored] = {}
    for run in sorted(runs, key=lambda r: (r.done, str(r.run.get("started")))):
        cells[json.dumps({**run.run["spec"], "marks": None}, sort_keys=True)] = run
    return sorted(cells.values(), key=lambda r: str(r.folder))


def _variants(runs: list[Stored], across: bool) -> tuple[list[str], str]:
    """For each run, the options that are not the same in all runs of its method and solver; and what to compare them with.

    across: task options too, and only those that differ from what most of the runs have (a tie: from the earliest run's).
    """
    options = [s["method_options"] | (s["task_options"] if across else {}) for s in (r.run["spec"] for r in runs)]
    owners = [(r.run["spec"]["method"], r.run["spec"]["lower"]) for r in runs]
    seen: dict[tuple[tuple[str, str], str], Counter[str]] = {}
    for k in sorted(range(len(runs)), key=lambda k: str(runs[k].run.get("started"))):
        for name, value in options[k].items():
            seen.setdefault((owners[k], name), Counter())[str(value)] += 1
    usual = {key: values.most_common(1)[0][0] for key, values in seen.items() if len(values) > 1}
    named = [
        {k: v for k, v in mine.items() if (owner, k) in usual and not (across and str(v) == usual[owner, k])}
        for owner, mine in zip(owners, options, strict=True)
    ]
    base = dict.fromkeys(f"{name}={value}" for (_, name), value in sorted(usual.items())) if across else ()
    return [", ".join(f"{k}={v}" for k, v in sorted(n.items())) for n in named], ", ".join(base)


def tables(runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> list[Table]:
    """The comparable sets of some stored runs, each a table; unfinished runs are left out. Raises UsageError.

    across: task options may differ within a set; what differs from most runs becomes part of a row's name.
    """
    stored = _newest(r for r in runs if r.run["status"] in (*DONE, "failed"))
    variants, base = _variants(stored, across)
    found = tables_of(frame(stored, at, across).assign(variant=variants), stored, at)
    return [replace(t, base=base) for t in found]


def tables_of(found: pd.DataFrame, stored: Sequence[Stored] = (), at: Budget | None = None) -> list[Table]:
    """Comparable sets of `frame`'s rows, each a table. A failed run, which has no passport, joins those of its budget.

    stored: the runs behind the rows, in their order, if they are at hand.
    """
    result = []
    for (task, preset, budget), part in found.groupby(["task", "preset", "budget"], sort=True) if len(found) else ():
        passports = sorted(set(part["passport"]) - {""}) or [""]
        for passport in passports:
            chosen = part[part["passport"].isin([passport, ""])]
            title = f"{task}, {preset}, budget {budget}" + (f", at {at}" if at else "")
            if len(passports) > 1:
                title += f", settings {passport}"
            result.append(_table(title, chosen, stored, at))
    return result
