"""Whether the files of a report follow from its runs. Runs nothing."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import escape
from benchmark.bounded import read_bounded
from benchmark.budget import Budget
from benchmark.compare import FAILURES
from benchmark.errors import UsageError
from benchmark.files import sha256
from benchmark.findings import Finding
from benchmark.formats import csv, differences, latex, page
from benchmark.frame import frame, read_frame
from benchmark.notes import footnote
from benchmark.report import MADE, MADE_LIMIT, PICTURES, admitting, noted
from benchmark.store import Stored
from benchmark.table import Table, tables, tables_of

TABLES = frozenset({"table1.md", "table1.csv", "table1.tex", "report.html"})
"""Any of these makes a folder a report."""
_ROUNDED = 1e-8  # relative; runs.csv has ten digits
_DEFAULT = {"at": "", "across": False, "failures": "common", "undrawn": [], "left_out": 0}


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


def _made(folder: Path) -> dict[str, Any]:
    """How the report was made; of one from before that was written down, as reports are made by default."""
    if not (folder / MADE).exists():
        return dict(_DEFAULT)
    found = json.loads(read_bounded(folder / MADE, MADE_LIMIT))
    if not isinstance(found, dict) or found.get("failures", "common") not in FAILURES:
        raise ValueError(f"{folder / MADE}: expected how a report was made")
    made = _DEFAULT | found
    good = all(isinstance(made.get(k, {}), dict) for k in ("runs", "files")) and isinstance(made["undrawn"], list)
    if not good or not isinstance(made["at"], str) or not isinstance(made["left_out"], int):
        raise ValueError(f"{folder / MADE}: expected how a report was made")
    return made


def _numbers(folder: Path, table: Table) -> Iterator[str]:
    """Tables of numbers that are not the table's; whole files, for a row more is a claim more."""
    for name, text in (("table1.csv", csv(table)), ("differences.csv", differences(table))):
        if (path := folder / name).exists() and not _alike(pd.read_csv(path), pd.read_csv(io.StringIO(text))):
            yield f"{name} does not follow from runs.csv"


def _texts(folder: Path, table: Table, note: str | None, pictures: list[str] | None) -> Iterator[str]:
    """Texts that are not the table's, as a whole. note, pictures: where they are known."""
    for name in sorted(TABLES - {"table1.csv"}):
        if not (path := folder / name).exists():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            written = file.read()
        if name == "table1.tex":
            right = latex(table)
        elif name == "table1.md":
            right = noted(table, _last(written) if note is None else escape.markdown(note))
        else:
            right = _page(table, written, note, pictures)
        if written != right:
            yield f"{name} does not follow from runs.csv"


def _last(text: str) -> str:
    """The last paragraph, which is one line."""
    return text.removesuffix("\n").rpartition("\n\n")[2].partition("\n")[0]


def _page(table: Table, written: str, note: str | None, pictures: list[str] | None) -> str:
    """The page as it should be, with its own pictures, footnote and mark where those are not known."""
    if pictures is None:
        pictures = re.findall(r'<img src="([A-Za-z0-9_.]+)"', written)
    if note is None:
        titles, notes = (re.findall(rf"<{t}>(.*?)</{t}>", written, flags=re.S) for t in ("h1", "p"))
        title = html.unescape(titles[-1]) if titles else ""
        table = replace(table, title=title) if title.startswith(table.title) else table
        note = html.unescape(notes[-1]) if notes else ""
    return page(table, note, pictures)


def _whole(rows: Iterable[str], runs: dict[str, Stored], made: Mapping[str, Any]) -> Table:
    """The table of stored runs, made as the report was. Raises ValueError where they are more than one set."""
    kept = [runs[name] for name in rows]
    at = Budget.parse(made["at"]) if made["at"] else None
    found = admitting(tables(kept, at, made["across"], made["failures"]), kept, runs.values(), at, made["across"])
    if len(found) != 1:
        raise ValueError(f"its runs are {len(found)} comparable sets, the table one")
    return replace(found[0], undrawn=tuple(map(str, made["undrawn"])))


def _follows(folder: Path, table: Table, made: Mapping[str, Any], found: Finding) -> None:
    """The texts, where the runs are at hand, and what the report says of runs that are left out."""
    pictures = [name for name in made["files"] if name.endswith(".png")] if "files" in made else None
    silent = replace(table, left_out=0)
    wrong = list(_texts(folder, table, footnote(table), pictures))
    left = "runs" in made and table.left_out > made["left_out"]
    if wrong and not list(_texts(folder, table, None, pictures)):
        left = left or (table.left_out > 0 and not list(_texts(folder, silent, footnote(silent), pictures)))
        wrong = [] if left else ["its footnote is not what its runs give"]
    found.problems += wrong
    if "runs" in made and table.left_out < made["left_out"]:
        found.expect(False, f"{MADE} says that {made['left_out']} runs are left out, not {table.left_out}")
    again = "are left out without a word; make it again with `bench report`"
    found.expect(not left, f"{table.left_out} stored runs of the same set {again}")


def _sources(rows: pd.DataFrame | None, runs: dict[str, Stored], made: Mapping[str, Any], found: Finding) -> list[str]:
    """The names of the runs that it was made of; compared with those stored."""
    listed: dict[str, str] | None = made.get("runs")
    names = list(listed) if listed is not None else []
    if rows is not None:
        found.expect(not len(rows) or rows["run_id"].is_unique, "runs.csv has a run twice")
        found.expect(listed is None or set(rows["run_id"]) == set(names), f"runs.csv has other runs than {MADE} lists")
        names = list(rows["run_id"])
    if runs:
        missing = [name for name in names if name not in runs]
        found.expect(not missing, f"{len(missing)} of its {len(names)} runs are not stored")
        changed = [
            name for name in names if name in runs and (listed or {}).get(name, runs[name].digest) != runs[name].digest
        ]
        found.expect(
            not changed,
            f"{len(changed)} of its {len(names)} runs were changed since, the first: {''.join(changed[:1])}",
        )
    return names


def _files(folder: Path, made: Mapping[str, Any], found: Finding) -> None:
    """The report's files against their hashes; of tables only where nothing more telling was found."""
    listed: dict[str, str] = made["files"]
    told = bool(found.problems)
    for name, digest in listed.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or path.is_symlink():
            found.expect(False, f"{name} is missing")
        elif not (told and name in (*TABLES, "runs.csv", "differences.csv")):
            found.expect(sha256(path) == digest, f"{name} is not the file that the report wrote")
    more = [name for name in PICTURES if (folder / name).exists() and name not in listed]
    found.expect(not more, f"{', '.join(more)}: not drawn by the report")


def check_report(folder: Path, runs: dict[str, Stored]) -> tuple[str, bool]:
    """What is wrong with a report or "", and whether it lists its runs and files with their hashes."""
    found, sealed = Finding(), True
    try:
        made = _made(folder)
        sealed = "runs" in made and "files" in made
        if not (folder / "runs.csv").exists() and "runs" not in made:
            return "runs.csv is missing, from which its tables follow", sealed
        rows = read_frame(folder / "runs.csv") if (folder / "runs.csv").exists() else None
        names = _sources(rows, runs, made, found)
        _tables(folder, rows, names, runs, made, found)
        if sealed:
            _files(folder, made, found)
    except (UsageError, OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        found.problems.append(str(error))
    return str(found), sealed


def _tables(
    folder: Path,
    rows: pd.DataFrame | None,
    names: list[str],
    runs: dict[str, Stored],
    made: dict[str, Any],
    found: Finding,
) -> None:
    for _, row in rows.iterrows() if rows is not None else ():
        if row["run_id"] in runs:
            problem = _row(row, runs[row["run_id"]])
            found.expect(not problem, problem)
    if names and all(name in runs for name in names):
        table = _whole(names, runs, made)
        found.problems += _numbers(folder, table)
        _follows(folder, table, made, found)
    elif rows is not None:
        at = Budget.parse(made["at"]) if made["at"] else None
        follow = tables_of(rows, at=at, failures=made["failures"])
        if len(follow) != 1:
            raise ValueError(f"runs.csv holds {len(follow)} comparable sets, the table one")
        found.problems += [*_numbers(folder, follow[0]), *_texts(folder, follow[0], None, None)]
