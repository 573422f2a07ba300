"""Whether the files of a report follow from its runs. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.hashed import sha256
from benchmark.registry import COSTS, PLOTS
from benchmark.report.costs import PREFIX
from benchmark.report.findings import Finding
from benchmark.report.frame import frame
from benchmark.report.metrics import is_later
from benchmark.report.record import RECORD, ReportRecord
from benchmark.report.report import admitting
from benchmark.report.runs_csv import read_frame
from benchmark.report.table import Table, tables, tables_of
from benchmark.report.verify_plugins import hints
from benchmark.report.verify_texts import (
    TABLES,
    Texts,
    titled_as,
    wrong_footnote,
    wrong_numbers,
    wrong_record,
    wrong_texts,
)
from benchmark.store.measured import MEASURED
from benchmark.store.refits import REFITS
from benchmark.store.store import Stored

# relative; runs.csv has ten digits
_ROUNDED = 1e-8


_BROKEN = (
    UsageError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
)


def check_report(folder: Path, runs: dict[str, Stored]) -> tuple[str, bool]:
    """What is wrong with a report or "", and whether it has hashes of its runs and files."""
    found, sealed = Finding(), True
    try:
        record = ReportRecord.read(folder)
        sealed = record.sealed
        path = folder / "runs.csv"
        if not path.exists() and record.runs is None:
            return "runs.csv is missing, from which its tables follow", sealed
        rows = read_frame(path) if path.exists() else None
        names = _sources(rows, runs, record, found)
        _tables(folder, rows, names, runs, record, found)
        _files(folder, record, found)
        found.problems += hints(rows, [runs[n] for n in names if n in runs], bool(found.problems))
    # files that somebody altered may break anything on the way
    except _BROKEN as error:
        found.problems.append(str(error))
    return str(found), sealed


def _sources(
    rows: pd.DataFrame | None, runs: dict[str, Stored], record: ReportRecord, found: Finding
) -> list[str]:
    """The names of the runs that a report was made of. Compares them with those stored."""
    listed = record.runs
    names = list(listed or ())
    if rows is not None:
        found.expect(not len(rows) or rows["run_id"].is_unique, "runs.csv has a run twice")
        found.expect(
            listed is None or set(rows["run_id"]) == set(names),
            f"runs.csv has other runs than {RECORD} lists",
        )
        names = list(rows["run_id"])
    if not runs:
        return names
    missing = [name for name in names if name not in runs]
    found.expect(not missing, f"{len(missing)} of its {len(names)} runs are not stored")
    changed = [
        name
        for name in names
        if name in runs and (listed or {}).get(name, runs[name].digest) != runs[name].digest
    ]
    found.expect(
        not changed,
        f"{len(changed)} of its {len(names)} runs were changed since, the first: "
        f"{''.join(changed[:1])}",
    )
    return names


def _tables(
    folder: Path,
    rows: pd.DataFrame | None,
    names: list[str],
    runs: dict[str, Stored],
    record: ReportRecord,
    found: Finding,
) -> None:
    offered, missing = _costs(rows)
    if rows is not None:
        known = {str(r["run_id"]): set(r.dropna().index) for _, r in rows.iterrows()}
        runs = {name: _as_then(run, known.get(name, set())) for name, run in runs.items()}
    for _, row in rows.iterrows() if rows is not None else ():
        if row["run_id"] in runs:
            problem = _row(row.drop(missing), runs[row["run_id"]], offered)
            found.expect(not problem, problem)
    # from the runs where all are at hand, which says more than the report's own runs.csv
    if names and all(name in runs for name in names):
        _follows(folder, _whole(names, runs, record), record, found)
    elif rows is not None:
        at = Budget.parse(record.at) if record.at else None
        follow = tables_of(rows, at=at, failures=record.failures)
        if len(follow) != 1:
            raise ValueError(f"runs.csv holds {len(follow)} comparable sets, the table one")
        table = titled_as(follow[0], record)
        texts = Texts.of(record, folder, record.footnote)
        found.problems += [*wrong_numbers(folder, table), *wrong_record(record, follow[0])]
        found.problems += wrong_texts(folder, table, texts)


def _as_then(run: Stored, known: set[str]) -> Stored:
    """A run without what was measured after its report. known: the columns of its row."""

    def kept(test: dict[str, Any]) -> dict[str, Any]:
        metrics = {m: v for m, v in test["metrics"].items() if not is_later(m) or m in known}
        without = set() if metrics == test["metrics"] else {REFITS, MEASURED}
        passport = {k: v for k, v in test["passport"].items() if k not in without}
        return {**test, "metrics": metrics, "passport": passport}

    return replace(run, tests=[kept(test) for test in run.tests])


def _costs(rows: pd.DataFrame | None) -> tuple[list[str], list[str]]:
    """Columns of costs that runs.csv lacks, and those that are registered by nobody here.

    One finding for the report, see `hints`, says more than one for each run.
    """
    there = [c for c in ([] if rows is None else rows.columns) if c.startswith(PREFIX)]
    every = {f"{PREFIX}{name}" for name in COSTS.complete()}
    return sorted(every - set(there)), [c for c in there if c not in every]


def _row(row: pd.Series[Any], run: Stored, offered: list[str]) -> str:
    """What differs between a row of runs.csv and its stored run, or "".

    offered: columns of the run that are not compared.
    """
    # a variant depends on the other runs of the table
    row = row.drop(["variant"], errors="ignore").dropna()
    nearest: list[str] | None = None
    # the row does not say at which mark it was made, or whether for an ablation: one of all fits
    for at in (None, *map(Budget.parse, run.run["spec"]["marks"])):
        for across in (False, True):
            try:
                made = frame([run], at, across).iloc[0].drop(offered, errors="ignore").dropna()
            except UsageError:
                continue
            wrong = [
                k
                for k in sorted({*row.index, *made.index})
                if not _equal(row.get(k, ""), made.get(k, ""))
            ]
            if not wrong:
                return ""
            nearest = min(nearest or wrong, wrong, key=len)
    return f"run {row['run_id']} has another {', '.join(nearest or ['measurement'])}"


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(np.isclose(float(one), float(other), rtol=_ROUNDED, atol=1e-9))
    except (TypeError, ValueError, OverflowError):
        return str(one) == str(other)


def _whole(rows: Iterable[str], runs: dict[str, Stored], record: ReportRecord) -> Table:
    """The table of stored runs, made as the report was. Raises ValueError for several sets."""
    own = [runs[name] for name in rows]
    at = Budget.parse(record.at) if record.at else None
    made = tables(own, at, record.across, record.failures)
    found = admitting(made, own, runs.values(), at, record.across)
    if len(found) != 1:
        raise ValueError(f"its runs are {len(found)} comparable sets, the table one")
    return replace(found[0], undrawn=tuple(record.undrawn))


def _follows(folder: Path, table: Table, record: ReportRecord, found: Finding) -> None:
    """Numbers, texts and what the report says of runs left out, where its runs are at hand."""
    found.problems += [*wrong_numbers(folder, table), *wrong_record(record, table)]
    wrong, silent = wrong_footnote(folder, titled_as(table, record), record)
    found.problems += wrong
    if record.runs is not None and table.left_out < record.left_out:
        found.expect(
            False,
            f"{RECORD} says that {record.left_out} runs are left out, not {table.left_out}",
        )
    again = "are left out without a word; make it again with `bench report`"
    found.expect(not silent, f"{table.left_out} stored runs of the same set {again}")


def _files(folder: Path, record: ReportRecord, found: Finding) -> None:
    """The report's files against their hashes."""
    if record.runs is None or record.files is None:
        return
    # a table that does not follow is named already, with a better reason than its hash
    telling = bool(found.problems)
    for name, digest in record.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or path.is_symlink():
            found.expect(False, f"{name} is missing")
        elif not (telling and name in (*TABLES, "runs.csv", "differences.csv")):
            found.expect(sha256(path) == digest, f"{name} is not the file that the report wrote")
    pictures = (f"{name}.png" for name in PLOTS.complete())
    more = [p for p in pictures if (folder / p).exists() and p not in record.files]
    found.expect(not more, f"{', '.join(more)}: not drawn by the report")
    unlisted = [p for p in record.pictures or () if p not in record.files]
    found.expect(not unlisted, f"{RECORD} names pictures without their hashes")
