"""Whether the tables, notes and page of a report follow from a table.

Whole files are compared, since an added row is an added claim.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmark.registry import PLOTS
from benchmark.report.comparable import SETTINGS
from benchmark.report.files import noted
from benchmark.report.formats import BOOKTABS, latex
from benchmark.report.notes import footnote
from benchmark.report.page import page
from benchmark.report.reading import reading
from benchmark.report.record import RECORD, ReportRecord
from benchmark.report.sheets import csv, differences
from benchmark.report.table import Table

TABLES = frozenset({"table1.md", "table1.csv", "table1.tex", "report.html"})
"""Any of these makes a folder a report."""
# relative; runs.csv has ten digits
_TOLERANCE = 1e-6
# stands where an earlier report, whose runs are gone, may have any footnote
_UNKNOWN = "(unknown footnote)"


@dataclass(frozen=True)
class Texts:
    """The texts around a report's table. footnote: None where nobody knows it any more.

    markdown: the footnote as table1.md has it.
    """

    footnote: str | None
    markdown: str
    pictures: Sequence[str]

    @classmethod
    def of(cls, record: ReportRecord, folder: Path, footnote: str | None) -> Texts:
        """pictures: as report.json has them; of an earlier report those that are there."""
        markdown = _UNKNOWN if footnote is None else record.noted(footnote)
        if record.pictures is not None:
            return cls(footnote, markdown, record.pictures)
        listed = record.files
        names = [f"{name}.png" for name in PLOTS.complete()]
        there = [n for n in names if (n in listed if listed else (folder / n).exists())]
        return cls(footnote, markdown, there)


def wrong_numbers(folder: Path, table: Table) -> Iterator[str]:
    """Tables of numbers that are not the table's."""
    for name, text in (("table1.csv", csv(table)), ("differences.csv", differences(table))):
        path = folder / name
        if path.exists() and not alike(pd.read_csv(path), pd.read_csv(io.StringIO(text))):
            yield f"{name} does not follow from runs.csv"


def alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(one, other, rtol=_TOLERANCE, check_dtype=False)
    except AssertionError:
        return False
    return True


def wrong_texts(folder: Path, table: Table, texts: Texts) -> Iterator[str]:
    """Texts that are not the table's."""
    for name in sorted(TABLES - {"table1.csv"}):
        path = folder / name
        if not path.exists():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            written = file.read()
        if name == "table1.tex":
            right = latex(table)
            # an earlier version gave no hint at the package
            if not written.startswith(BOOKTABS):
                right = right.removeprefix(f"{BOOKTABS}\n")
        elif name == "table1.md":
            right = noted(table, texts.markdown)
        else:
            note = _UNKNOWN if texts.footnote is None else texts.footnote
            right = page(table, note, texts.pictures, folder)
        if not _is(written, right):
            yield f"{name} does not follow from runs.csv"


def _is(written: str, right: str) -> bool:
    """Whether a text is the right one; an unknown footnote may be any line without tags."""
    before, mark, after = right.partition(_UNKNOWN)
    if not mark:
        return written == right
    inside = written[len(before) : len(written) - len(after)]
    whole = written.startswith(before) and written.endswith(after)
    return whole and len(written) >= len(before + after) and not {"<", "\n"} & set(inside)


def wrong_record(record: ReportRecord, table: Table) -> Iterator[str]:
    """What is wrong in report.json about the table."""
    if record.title is not None and not _is_title(record.title, table.title):
        yield f"{RECORD} has another title"
    if record.reading is not None and record.reading != reading(table):
        yield f"{RECORD} has another text on how to read the table"
    if record.markdown is not None and html.unescape(record.markdown) != record.footnote:
        yield f"{RECORD} has two footnotes"


def _is_title(written: str, title: str) -> bool:
    """Whether a report may have this title."""
    # where it was one of several sets it names its settings, which one table alone does not
    return written == title or written.startswith(f"{title}{SETTINGS}")


def titled_as(table: Table, record: ReportRecord) -> Table:
    """The table with the report's title, where it may be that."""
    title = record.title
    return replace(table, title=title) if title and _is_title(title, table.title) else table


def wrong_footnote(folder: Path, table: Table, record: ReportRecord) -> tuple[list[str], bool]:
    """What is wrong with a report's texts, and whether it does not mention runs that it leaves out.

    For a report whose runs are at hand. Runs of its set may have been stored after it was made:
    then it is silent about them, and its footnote is not wrong.
    """
    unknown = Texts.of(record, folder, None)
    now = footnote(table)
    wrong = list(wrong_texts(folder, table, Texts.of(record, folder, now)))
    if record.footnote is not None and record.footnote != now:
        wrong.append(f"{RECORD} has another footnote")
    grown = record.runs is not None and table.left_out > record.left_out
    if not wrong or list(wrong_texts(folder, table, unknown)):
        return wrong, grown
    # only the footnote differs: perhaps it is that of the table before there were more runs
    earlier = footnote(replace(table, left_out=record.left_out))
    texts = Texts.of(record, folder, earlier)
    as_made = not list(wrong_texts(folder, table, texts)) and record.footnote in (None, earlier)
    if table.left_out > record.left_out and as_made:
        return [], True
    return ([] if grown else ["its footnote is not what its runs give"]), grown
