"""`bench verify`: whether stored runs are what they say they are, and tables follow from them. Runs nothing."""

from __future__ import annotations

import html
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.bounded import read_bounded
from benchmark.budget import Budget
from benchmark.clock import SPENT
from benchmark.compare import FAILURES
from benchmark.errors import UsageError
from benchmark.formats import csv, differences, latex, markdown, page
from benchmark.frame import frame, read_frame
from benchmark.notes import footnote, reading
from benchmark.plan import identity
from benchmark.report import MADE, admitting
from benchmark.store import Store, Stored, read
from benchmark.table import Table, tables, tables_of

_SUM = 0.01  # of the wall time, by which the accounts may miss it
_MADE_LIMIT = 2**16  # bytes
_ROUNDED = 1e-8  # relative; runs.csv has ten digits


@dataclass
class _Finding:
    problems: list[str] = field(default_factory=list)

    def expect(self, right: bool, problem: str) -> None:
        if not right:
            self.problems.append(problem)

    def __str__(self) -> str:
        return "; ".join(self.problems)


def _spec(run: Stored, found: _Finding) -> None:
    spec, name = run.run["spec"], run.folder
    found.expect(run.run["run_id"] == identity(spec, run.run["schema"]), "its name is not its specification's hash")
    found.expect(name.name == run.run["run_id"], f"its folder is called {name.name}, the run {run.run['run_id']}")
    found.expect(
        (name.parent.name, name.parent.parent.name) == (spec["method"], spec["task"]), "it lies in another's folder"
    )


def _ledger(run: Stored, found: _Finding) -> None:
    ledger, wall = run.run["ledger"], run.run.get("wall_seconds")
    total = sum(ledger.values())
    if wall is not None:
        found.expect(abs(total - wall) <= _SUM * max(wall, 1.0), f"its accounts sum to {total:.2f} s of {wall:.2f} s")
    spent = sum(ledger[name] for name in SPENT)
    said = run.run["search_seconds"]
    found.expect(
        abs(spent - said) <= _SUM * max(said, 1.0), f"method + objective are {spent:.2f} s, the search {said:.2f} s"
    )


def _within(run: Stored, found: _Finding) -> None:
    budget = Budget.parse(run.run["spec"]["budget"])
    unit = "nfe" if budget.unit == "nfe" else "seconds"
    at = [p[unit] for p in run.proposals]
    found.expect(at == sorted(at), "its proposals are out of order")
    found.expect(not at or at[-1] <= budget.amount, f"a proposal came after the budget, {budget}")
    stamps = {(p["seconds"], p["nfe"], json.dumps(p["lam"], sort_keys=True)) for p in run.proposals}
    for test in run.tests:
        known = (test["seconds"], test["nfe"], json.dumps(test["lam"], sort_keys=True)) in stamps
        found.expect(
            known or (test["seconds"], test["nfe"]) == (0.0, 0), "something was measured that was not proposed"
        )
    found.expect(
        not run.proposals or run.tests[-1]["nfe"] == run.proposals[-1]["nfe"], "its last proposal was not measured"
    )


def _run(folder: Path) -> tuple[Stored | None, str]:
    found = _Finding()
    try:
        run = read(folder)
        _spec(run, found)
        if run.done:
            _ledger(run, found)
            _within(run, found)
    except UsageError as error:
        return None, str(error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, f"its record is not as this version writes it: {type(error).__name__}: {error}"
    return run, str(found)


def _row(row: pd.Series[Any], run: Stored) -> str:
    """Whether a row of runs.csv is what a report makes of the run, at its end or at a mark, alone or in an ablation."""
    row = row.drop(["variant"], errors="ignore").dropna()
    nearest: list[str] | None = None
    for at in (None, *map(Budget.parse, run.run["spec"]["marks"])):
        for across in (False, True):
            try:
                made = frame([run], at, across).iloc[0].dropna()
            except UsageError:
                continue
            wrong = [k for k in sorted({*row.index, *made.index}) if not _equal(row.get(k, ""), made.get(k, ""))]
            if not wrong:
                return ""
            nearest = min(nearest or wrong, wrong, key=len)
    return f"run {row['run_id']} has another {', '.join(nearest or ['measurement'])}"


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(np.isclose(float(one), float(other), rtol=_ROUNDED, atol=1e-9))
    except (TypeError, ValueError, OverflowError):
        return str(one) == str(other)


def _alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(one, other, rtol=100 * _ROUNDED, check_dtype=False)
    except AssertionError:
        return False
    return True


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(read_bounded(path, _MADE_LIMIT))
    if not isinstance(found, dict) or found.get("failures", "common") not in FAILURES:
        raise ValueError(f"{path}: expected how a report was made")
    return found


def _made(folder: Path) -> dict[str, Any]:
    """How the report was made; of one from before that was written down, as reports are made by default."""
    path = folder / MADE
    return {"at": "", "across": False, "failures": "common"} | (_json(path) if path.exists() else {})


def _forms(folder: Path, table: Table) -> Iterator[str]:
    """What does not follow from runs.csv."""
    with (folder / "table1.csv").open(encoding="utf-8") as file:
        written, follows = pd.read_csv(file), pd.read_csv(io.StringIO(csv(table)))
    if not _alike(written, follows):
        yield "table1.csv does not follow from runs.csv"
    if (path := folder / "differences.csv").exists() and not _alike(
        pd.read_csv(path), pd.read_csv(io.StringIO(differences(table)))
    ):
        yield "differences.csv does not follow from runs.csv"
    whole = page(table, "", [])
    cells, said = (re.findall(f"<{t}>.*?</{t}>", whole, flags=re.S)[0] for t in ("table", "p"))
    forms = {
        "table1.md": [f"{markdown(table)}\n{reading(table)}\n"],
        "table1.tex": [latex(table)],
        "report.html": [cells, said],
    }
    for name, texts in forms.items():
        if (path := folder / name).exists() and not all(t in path.read_text(encoding="utf-8") for t in texts):
            yield f"{name} does not follow from runs.csv"


def _notes(folder: Path, rows: pd.DataFrame, runs: dict[str, Stored], made: Mapping[str, Any]) -> str:
    """Whether the footnote is so, and says how many stored runs of the same set are left out."""
    kept = [runs[name] for name in rows["run_id"]]
    at = Budget.parse(made["at"]) if made["at"] else None
    (table,) = admitting(tables(kept, at, made["across"], made["failures"]), kept, runs.values(), made["across"])
    written = [
        (folder / name).read_text(encoding="utf-8") for name in ("table1.md", "report.html") if (folder / name).exists()
    ]
    texts = [html.unescape(text) for text in written]
    if all(footnote(table) in text for text in texts):
        return ""
    if table.left_out and all(footnote(replace(table, left_out=0)) in text for text in texts):
        return f"{table.left_out} stored runs of the same set are left out without a word; make it again with `bench report`"
    return "its footnote is not what its runs give"


def _table(folder: Path, runs: dict[str, Stored]) -> str:
    found = _Finding()
    try:
        rows, made = read_frame(folder / "runs.csv"), _made(folder)
        follow = tables_of(rows, failures=made["failures"])
        if len(follow) != 1:
            return f"runs.csv holds {len(follow)} comparable sets, the table one"
        found.problems += _forms(folder, follow[0])
        stored = [row for _, row in rows.iterrows() if row["run_id"] in runs]
        missing = len(rows) - len(stored)
        found.expect(not runs or not missing, f"{missing} of its {len(rows)} runs are not stored")
        for row in stored:
            problem = _row(row, runs[row["run_id"]])
            found.expect(not problem, problem)
        if runs and not missing and not found.problems:
            found.expect(not (problem := _notes(folder, rows, runs, made)), problem)
    except (UsageError, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        return str(error)
    return str(found)


def verify(folder: Path) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong or "") for the runs and the reports below a folder. Raises UsageError for an empty one."""
    records = Store(folder).records()
    reports = sorted(Path(at) for at, _, names in os.walk(folder) if {"table1.csv", "runs.csv"} <= set(names))
    if not records and not reports:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json) or reports (table1.csv), found none"
        )
    runs: dict[str, Stored] = {}
    for path in records:
        run, problem = _run(path.parent)
        if run is not None:
            runs[str(run.run["run_id"])] = run
        yield f"run {path.parent.relative_to(folder)}", problem
    for report in reports:
        yield f"table {report.relative_to(folder)}", _table(report, runs)
