"""Stored runs as one frame, a row each, from which tables are computed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.names import NAME, is_taken
from benchmark.report.costs import PREFIX, recorded
from benchmark.report.metrics import OPTIMISM, always_in
from benchmark.report.spending import spent_by
from benchmark.store.measured import MEASURED
from benchmark.store.refits import REFITS
from benchmark.store.store import Stored

REFERENCE = "reference."
"""Before the columns of reference lines: `reference.<line>.<metric>`."""
_LAM = "lam."
FIRST = ("task", "preset", "method", "lower", "seed", "prompt", "status")
THEN = (
    "search_seconds",
    "total_seconds",
    "nfe",
    "peak_memory_bytes",
    "overrun_seconds",
    "run_id",
)
_MORE = ("jobs", "budget", "passport", "machine", "known", "variant")


def standing(run: Stored, at: Budget | None) -> dict[str, Any] | None:
    """The measurement that counts: the last one, or that of the incumbent at the moment `at`.

    None where the run had proposed nothing by then. Raises UsageError where it was not measured.
    """
    if at is None:
        return run.tests[-1] if run.tests else None
    # from the proposals, not the nearest measurement: a later proposal may have replaced that
    unit = "nfe" if at.unit == "nfe" else "seconds"
    stood = [p for p in run.proposals if p[unit] <= at.amount]
    if not stood:
        return None
    incumbent = stood[-1]
    for test in run.tests:
        if test["seconds"] == incumbent["seconds"] and test["nfe"] == incumbent["nfe"]:
            return test
    where = f"run {run.run['run_id']} ({run.run['spec']['method']})"
    raise UsageError(
        f"--at {at}: what stood then was not measured in {where}; run with --marks {at}"
    )


def columns() -> tuple[str, ...]:
    """The columns with which every runs.csv begins."""
    return (*FIRST, *always_in("runs"), *THEN)


def metrics_of(found: pd.DataFrame) -> list[str]:
    """The columns of a frame that are metrics: all numbers that are nothing else's."""
    # by what they are not: a metric that nobody described must have a column too
    return [
        c
        for c in found.columns
        if c not in (*FIRST, *THEN, *_MORE)
        and not c.startswith((_LAM, REFERENCE, PREFIX))
        and not (c.endswith(NAME) and c.removesuffix(NAME) in found)
        and pd.api.types.is_numeric_dtype(found[c])
    ]


def frame(runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> pd.DataFrame:
    """One row a run. Raises UsageError.

    `columns()` first, then other metrics, costs, reference lines and the passport, then lam.<name>.
    A cell is empty where a run has no value: it failed, or proposed nothing in time.
    at: seconds and evaluations are those spent by then, see `spent_by`. Other costs are those of
        the whole run.
    across: task options are no part of the passport, so that an ablation of one can be a table;
        what was measured, and how, still is.
    """
    first, runs, rows = columns(), list(runs), []
    spent = recorded([run.run for run in runs])
    for k, run in enumerate(runs):
        row: dict[str, Any] = {c: run.run["spec"].get(c, run.run.get(c)) for c in first}
        row |= _of_run(run.run, across) | {c: values[k] for c, values in spent.items()}
        rows.append(row | (_measured(run, at, across) if run.done else {}))
    found = pd.DataFrame(rows)
    if found.empty:
        return pd.DataFrame(columns=list(first))
    # sorted, so that the same runs give the same file in whatever order they are read
    last = sorted(c for c in found.columns if c.startswith(_LAM))
    rest = sorted(c for c in found.columns if c not in first and c not in last)
    return found[[*first, *rest, *last]]


def _of_run(record: Mapping[str, Any], across: bool) -> dict[str, Any]:
    """The columns that every run has, also a failed one."""
    return {
        "jobs": record.get("jobs", 1),
        "budget": record["spec"]["budget"],
        "total_seconds": sum(record["ledger"].values()),
        "passport": "",
        "machine": _machine(record),
        "known": _known(record["spec"], across),
    }


def _measured(run: Stored, at: Budget | None, across: bool) -> dict[str, Any]:
    """What was measured of a finished run, and what that had cost."""
    test = standing(run, at)
    row: dict[str, Any] = {}
    if at is not None:
        by_then = spent_by(run, at)
        row |= {"search_seconds": by_then["seconds"], "nfe": by_then["nfe"]}
        # these are of the whole search
        row |= {"overrun_seconds": None, "peak_memory_bytes": None}
    if test is None:
        return row
    # a metric called `seed` would replace the run's seed in its row
    if taken := sorted(filter(is_taken, test["metrics"])):
        raise UsageError(
            f"run {run.run['run_id']}: expected metrics with names of their own, got {taken[0]!r}, "
            "which is another column's"
        )
    lines = test.get("references", {})
    names = {k: test["passport"][k] for m in test["metrics"] if (k := m + NAME) in test["passport"]}
    return {
        **row,
        **test["metrics"],
        **_optimism(test),
        **{f"{_LAM}{k}": v for k, v in test["lam"].items()},
        **{f"{REFERENCE}{k}.{m}": v for k, line in lines.items() for m, v in line.items()},
        **names,
        "passport": _passport(run.run["spec"], test, across),
    }


def _optimism(test: Mapping[str, Any]) -> dict[str, float]:
    """Held-out F less the F that the search saw, where both are known."""
    held_out = test.get("held_out")
    if held_out is None or not math.isfinite(test["loss"]):
        return {}
    return {OPTIMISM: held_out - test["loss"]}


def _passport(spec: Mapping[str, Any], test: Mapping[str, Any], across: bool) -> str:
    """The hash of what must agree in a table, once something is measured.

    The reference that a metric was measured against is left out: each prompt has its own, and the
    prompt is in the row. So is what is measured later, which a run may still lack.
    """
    own = _settings(spec, across)
    # version and files last, so that a passport's fields of these names do not replace them
    passport = own | test["passport"] | {k: own[k] for k in ("version", "files")}
    references = {f"{metric}_reference" for metric in test["metrics"]} | {REFITS, MEASURED}
    return _hash({k: v for k, v in passport.items() if k not in references})


def _settings(spec: Mapping[str, Any], across: bool) -> dict[str, Any]:
    """What must agree in a table, as far as it is known before anything is measured."""
    # another code of a method is another row of the same table, so it is no part of this
    files = {k: v for k, v in spec["fingerprint"].items() if not k.startswith("method ")}
    options = {} if across else spec["task_options"]
    return {
        "task": options,
        "device": spec["device"],
        "version": spec["task_version"],
        "files": files,
    }


def _known(spec: Mapping[str, Any], across: bool) -> str | None:
    """The settings' hash; None under schema 1, whose tables were made without."""
    return _hash(_settings(spec, across)) if "suite" in spec["fingerprint"] else None


def _hash(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _machine(record: Mapping[str, Any]) -> str | None:
    """The kind of machine, where it is known: the CPU's model, and the GPU's of a run on one."""
    environment: Mapping[str, str] = record.get("environment", {})
    if not (cpu := environment.get("cpu")):
        return None
    on_gpu = str(record["spec"]["device"]).startswith("cuda")
    return ", ".join(filter(None, (cpu, environment.get("gpu") if on_gpu else "")))
