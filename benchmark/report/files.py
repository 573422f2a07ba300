"""The files of a report: tables first, then pictures, and last what both were made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark import escape
from benchmark.errors import format_error
from benchmark.hashed import sha256
from benchmark.report.explorer import EXPLORE
from benchmark.report.formats import latex, markdown
from benchmark.report.frame import columns
from benchmark.report.notes import footnote
from benchmark.report.paper import PAPER, Layout, paper
from benchmark.report.plots import FROM_FRAME
from benchmark.report.reading import reading
from benchmark.report.record import ReportRecord
from benchmark.report.runs_csv import write_frame
from benchmark.report.sheets import csv, differences
from benchmark.report.statistics.sheet import Statistic, sheet, statistics
from benchmark.report.table import Table
from benchmark.store.files import write_atomic

FORMATS = ("md", "csv", "latex", "html", "page")
WRITTEN = ("md", "csv", "latex", "page")
"""Where nobody names formats."""


def write_report(table: Table, folder: Path, formats: Sequence[str], layout: Layout) -> Table:
    """Returns the table with the pictures that failed. Raises OSError.

    layout: of paper.tex, see there.
    """
    before = ReportRecord.written(folder)
    # texts twice: tables must be there even where drawing crashes the process
    found = statistics(table) if {"csv", "page"} & set(formats) else []
    names = _write(
        folder, _tables(table, formats, layout, found) | _texts(table, formats, [], folder)
    )
    pictures, undrawn = _draw(table, folder)
    table = replace(table, undrawn=tuple(undrawn))
    _write(folder, _texts(table, formats, pictures, folder))
    files = [*names, *pictures]
    if "page" in formats:
        files += _explored(table, folder, pictures, layout, found)
    for name in before - set(files):
        # a picture or a page of an earlier report would be taken for one of this
        if name.endswith((".png", EXPLORE, PAPER)):
            (folder / name).unlink(missing_ok=True)
    ReportRecord(
        at=str(table.at or ""),
        across=table.across,
        failures=table.failures,
        left_out=table.left_out,
        undrawn=undrawn,
        runs={r.run["run_id"]: r.digest for r in table.runs},
        files={name: sha256(folder / name) for name in files},
        title=table.title,
        reading=reading(table),
        footnote=footnote(table),
        pictures=pictures,
    ).write(folder)
    return table


def _explored(
    table: Table,
    folder: Path,
    pictures: Sequence[str],
    layout: Layout,
    found: Sequence[Statistic],
) -> list[str]:
    """The page, by name; [] and a line on stderr where it could not be made. Raises OSError."""
    try:
        from benchmark.report.explorer.page import explore

        text = explore(table, folder, pictures, layout, found)
    # the tables are written, and a page is not worth them
    except Exception as error:
        print(f"bench: no {EXPLORE}: {format_error(error)}", file=sys.stderr)
        return []
    return _write(folder, {EXPLORE: text})


def noted(table: Table, note: str) -> str:
    """The text of a table1.md. note: the footnote, escaped."""
    return "\n".join([markdown(table), reading(table), "", note, ""])


def rewrite_files(table: Table, folder: Path) -> None:
    """Write a report's files again from a table whose runs are not at hand.

    table1.csv and differences.csv always, others where they exist. Texts have the footnote of
    report.json; where it has none, they stay. Raises UsageError and OSError.
    """
    record = ReportRecord.read(folder)
    # before the page, which holds them
    _redraw(table, folder)
    _write(folder, {"table1.csv": csv(table), "differences.csv": differences(table)})
    texts = {"table1.tex": latex(table)}
    if record.footnote is not None:
        from benchmark.report.page import page

        table = replace(table, title=record.title or table.title)
        texts["table1.md"] = noted(table, record.noted(record.footnote))
        texts["report.html"] = page(table, record.footnote, record.pictures or [], folder)
        record = record.model_copy(update={"reading": reading(table)})
    elif (folder / "table1.md").exists() or (folder / "report.html").exists():
        print(
            f"bench: {folder}: table1.md and report.html stay as they are, since report.json does "
            "not hold their footnote; `bench report` writes all of it where the runs are at hand",
            file=sys.stderr,
        )
    _write(folder, {name: text for name, text in texts.items() if (folder / name).exists()})
    if record.files is not None:
        # the seal follows what was written again, or `bench verify` would take it for altered
        there = [name for name in record.files if (folder / name).is_file()]
        record = record.model_copy(update={"files": {n: sha256(folder / n) for n in sorted(there)}})
    if record.footnote is not None or record.files is not None:
        record.write(folder)


def _write(folder: Path, texts: Mapping[str, str]) -> list[str]:
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return list(texts)


def _tables(
    table: Table, formats: Sequence[str], layout: Layout, found: Sequence[Statistic]
) -> dict[str, str]:
    """found: statistics of the table."""
    texts = {}
    if "csv" in formats:
        first = columns()
        # other sets of the same report may have columns that are empty in this one
        filled = [c for c in table.frame if c in first or table.frame[c].notna().any()]
        texts = {
            "table1.csv": csv(table),
            "differences.csv": differences(table),
            "statistics.csv": sheet(found),
            "runs.csv": write_frame(table.frame[filled]),
        }
    if "latex" in formats:
        texts |= {"table1.tex": latex(table), PAPER: paper(table, layout)}
    return texts


def _texts(
    table: Table, formats: Sequence[str], pictures: Sequence[str], folder: Path
) -> dict[str, str]:
    texts = {}
    if "md" in formats:
        texts["table1.md"] = noted(table, escape.markdown(footnote(table)))
    if "html" in formats:
        from benchmark.report.page import page

        texts["report.html"] = page(table, footnote(table), pictures, folder)
    return texts


def _draw(table: Table, folder: Path) -> tuple[list[str], list[str]]:
    """The names of the pictures that were drawn; what is wrong with others, which is printed."""
    try:
        from benchmark.report.drawing import draw

        drawn, failed = draw(table, folder)
    # matplotlib itself may fail to load: then there is no picture, and the tables are written
    except Exception as error:
        drawn, failed = [], [f"pictures: {format_error(error)}"]
    for problem in failed:
        print(f"bench: not drawn: {problem}", file=sys.stderr)
    return [p.name for p in drawn], failed


def _redraw(table: Table, folder: Path) -> None:
    """The pictures that are there and need no runs."""
    for name in FROM_FRAME:
        if (folder / f"{name}.png").exists():
            from benchmark.report.drawing import redraw

            redraw(name, table, folder)
