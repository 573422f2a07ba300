"""Reports: tables, notes and pictures written to a folder, from what is stored. Runs nothing."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from benchmark import escape
from benchmark.bounded import read_bounded
from benchmark.budget import Budget
from benchmark.compare import FAILURES, Failures
from benchmark.errors import UsageError, said, suggest
from benchmark.files import make_folder, sha256, storing, write_atomic
from benchmark.formats import csv, differences, latex, markdown, page
from benchmark.frame import COLUMNS, read_frame, write_frame
from benchmark.notes import footnote, reading
from benchmark.store import Store, Stored, read
from benchmark.table import Beside, Table, set_of, tables, tables_of

FORMATS = ("md", "csv", "latex", "html")
MADE = "report.json"
"""How a report was made: at, across, failures, left_out, undrawn; and SHA-256 of the run.json of its runs and of its files."""
MADE_LIMIT = 64 * 2**20  # bytes
PICTURES = (
    "quality_over_time.png", "lam_over_time.png", "curves.png", "where_time_went.png", "samples.png", "fid_against_clip.png",
)  # fmt: skip


def _write(table: Table, folder: Path, formats: Sequence[str], metric: str | None, across: bool) -> Table:
    """Tables first, then pictures, and last what both were made of; returns the table with the pictures that failed."""
    written = _tables(table, folder, formats)
    pictures, undrawn = _pictures(table, folder, metric)
    table = replace(table, undrawn=tuple(undrawn))
    written += _notes(table, folder, formats, pictures)
    files = dict.fromkeys([*written, *pictures])
    for name in _before(folder) - set(files):  # a picture of an earlier report would be taken for one of this
        if name in PICTURES:
            (folder / name).unlink(missing_ok=True)
    made = {
        "at": str(table.at or ""), "across": across, "failures": table.failures, "left_out": table.left_out,
        "runs": {r.run["run_id"]: r.digest for r in table.runs},
        "files": {name: sha256(folder / name) for name in files}, "undrawn": undrawn,
    }  # fmt: skip
    write_atomic(folder / MADE, json.dumps(made, indent=1) + "\n")
    return table


def _before(folder: Path) -> set[str]:
    """The files that the report there says it wrote."""
    try:
        found = json.loads(read_bounded(folder / MADE, MADE_LIMIT))
        return {str(name) for name in found["files"] if "/" not in str(name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _tables(table: Table, folder: Path, formats: Sequence[str]) -> list[str]:
    texts = {}
    if "csv" in formats:
        kept = [c for c in table.frame if c in COLUMNS or table.frame[c].notna().any()]
        texts = {
            "table1.csv": csv(table),
            "differences.csv": differences(table),
            "runs.csv": write_frame(table.frame[kept]),
        }
    if "latex" in formats:
        texts["table1.tex"] = latex(table)
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return [*texts, *_notes(table, folder, formats, [])]


def _notes(table: Table, folder: Path, formats: Sequence[str], pictures: Sequence[str]) -> list[str]:
    texts = {}
    if "md" in formats:
        texts["table1.md"] = noted(table, escape.markdown(footnote(table)))
    if "html" in formats:
        texts["report.html"] = page(table, footnote(table), pictures)
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return list(texts)


def noted(table: Table, note: str) -> str:
    """The text of a table1.md. note: what only the runs tell, escaped."""
    return "\n".join([markdown(table), reading(table), "", note, ""])


def _pictures(table: Table, folder: Path, metric: str | None) -> tuple[list[str], list[str]]:
    """The names of those that were drawn, and what is wrong with the others, which is told."""
    try:
        from benchmark.plots import draw

        drawn, failed = draw(table, folder, metric)
    except Exception as error:  # no picture at all; the tables are written
        drawn, failed = [], [f"pictures: {said(error)}"]
    for problem in failed:
        print(f"bench: not drawn: {problem}", file=sys.stderr)
    return [p.name for p in drawn], failed


def report(
    runs: Sequence[Stored],
    out: Path,
    *,
    formats: Sequence[str] = ("md", "csv", "latex"),
    at: Budget | None = None,
    metric: str | None = None,
    across: bool = False,
    failures: str = "common",
    beside: Iterable[Stored] = (),
) -> list[tuple[Table, Path]]:
    """Write the tables and plots of these runs below `out`; a folder each where there are several comparable sets.

    across: see `tables`.  beside: other stored runs, of which the footnote says how many would belong into the table.
    Raises UsageError, and StorageError where the folder cannot be written.
    """
    if failures not in FAILURES:
        raise UsageError(f"--failures: expected {' or '.join(FAILURES)}, got {failures!r}")
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format: unknown format {name!r}{suggest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    found = admitting(tables(runs, at, across, cast(Failures, failures)), runs, beside, at, across)
    known = sorted({m for t in found for m in t.metrics})
    if metric is not None and found and metric not in known:
        raise UsageError(
            f"--metric: unknown metric {metric!r}{suggest(metric, known)}; these runs have: {', '.join(known)}"
        )
    written = []
    for table in found:
        folder = out if len(found) == 1 else out / table.title.replace(", ", "-").replace(" ", "-")
        make_folder(folder)
        with storing(folder):
            written.append((_write(table, folder, formats, metric, across), folder))
    return written


def admitting(
    found: list[Table], runs: Sequence[Stored], beside: Iterable[Stored], at: Budget | None, across: bool
) -> list[Table]:
    """The tables, each with how many of the other stored runs would belong into it, and which of them contradict its own."""
    have = {r.folder for r in runs}
    others = [r for r in beside if r.folder not in have]
    if not others:
        return found
    every = Beside.of([*runs, *others], at, across)
    return [
        replace(
            t,
            left_out=max(0, every.sizes.get(set_of(t.frame), 0) - len(t.runs)),
            conflicts=every.each.conflicts(t.runs),
        )
        for t in found
    ]


def stored_beside(folder: Path, runs: Iterable[Stored] = ()) -> Iterator[Stored]:
    """The runs below a folder that can be read, but for these, which are at hand."""
    have = {r.folder for r in runs}
    for path in Store(folder).records():
        if path.parent not in have:
            with suppress(UsageError):
                yield read(path.parent)


def report_folder(folder: Path, out: Path | None = None, **options: object) -> list[tuple[Table, Path]]:
    """`bench report`: every stored run below a folder. Raises UsageError where there is none."""
    runs = list(Store(folder))
    if not runs:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json), found none; make some with `bench run`"
        )
    if not any(r.done or r.run["status"] == "failed" for r in runs):
        raise UsageError(
            f"{folder}: all {len(runs)} runs there are unfinished; the command that began them goes on with them"
        )
    return report(runs, out or folder / "report", **options)  # type: ignore[arg-type]


def rewrite(folder: str | Path) -> Table:
    """Write a report's tables again from its `runs.csv`, for when the runs are no longer at hand.

    What only the runs tell, the last paragraph of the notes and most pictures, stays as it is. Raises UsageError.
    `python -c "from benchmark.report import rewrite; rewrite('results/reward_ft')"`
    """
    folder = Path(folder)
    found = tables_of(read_frame(folder / "runs.csv"))
    if len(found) != 1:
        raise UsageError(f"{folder / 'runs.csv'}: expected one comparable set of runs, found {len(found)}")
    (table,) = found
    with _resealed(folder):
        _rewrite(table, folder)
    return table


@contextmanager
def _resealed(folder: Path) -> Iterator[None]:
    """What is written to a report meanwhile is so noted in its report.json, if that has hashes."""
    yield
    if known := _before(folder):
        made = json.loads(read_bounded(folder / MADE, MADE_LIMIT))
        made["files"] = {name: sha256(folder / name) for name in sorted(known) if (folder / name).is_file()}
        write_atomic(folder / MADE, json.dumps(made, indent=1) + "\n")


def _rewrite(table: Table, folder: Path) -> None:
    write_atomic(folder / "table1.csv", csv(table))
    write_atomic(folder / "differences.csv", differences(table))
    if (path := folder / "table1.tex").exists():
        write_atomic(path, latex(table))
    if (path := folder / "table1.md").exists():
        note = path.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[2]
        write_atomic(path, noted(table, note))
    if (path := folder / "fid_against_clip.png").exists():
        from benchmark.plots import redraw

        redraw(table, path)
    if (path := folder / "report.html").exists():
        old = path.read_text(encoding="utf-8")
        title, note = (html.unescape(re.findall(rf"<{t}>(.*?)</{t}>", old, flags=re.S)[-1]) for t in ("h1", "p"))
        write_atomic(path, page(replace(table, title=title), note, re.findall(r'<img src="([^"]+)"', old)))
