"""Reports: tables, notes and pictures written to a folder, from what is stored. Runs nothing."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from benchmark.budget import Budget
from benchmark.compare import FAILURES, Failures
from benchmark.errors import UsageError, suggest
from benchmark.formats import csv, differences, latex, markdown, page
from benchmark.frame import COLUMNS, read_frame
from benchmark.notes import footnote, reading
from benchmark.store import Store, Stored, make_folder, read, storing, write_atomic
from benchmark.table import Table, set_of, sizes, tables, tables_of

FORMATS = ("md", "csv", "latex", "html")
MADE = "report.json"
"""How a report was made: at, across, failures."""


def _write(table: Table, folder: Path, formats: Sequence[str], metric: str | None, across: bool) -> None:
    from benchmark.plots import draw

    pictures = draw(table, folder, metric)
    made = {"at": str(table.at or ""), "across": across, "failures": table.failures}
    write_atomic(folder / MADE, json.dumps(made) + "\n")
    if "md" in formats:
        write_atomic(folder / "table1.md", "\n".join([markdown(table), reading(table), "", footnote(table), ""]))
    if "csv" in formats:
        write_atomic(folder / "table1.csv", csv(table))
        write_atomic(folder / "differences.csv", differences(table))
        kept = [c for c in table.frame if c in COLUMNS or table.frame[c].notna().any()]
        write_atomic(folder / "runs.csv", table.frame[kept].to_csv(index=False, float_format="%.10g"))
    if "latex" in formats:
        write_atomic(folder / "table1.tex", latex(table))
    if "html" in formats:
        write_atomic(folder / "report.html", page(table, footnote(table), [p.name for p in pictures]))


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
    found = admitting(tables(runs, at, across, cast(Failures, failures)), runs, beside, across)
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
            _write(table, folder, formats, metric, across)
        written.append((table, folder))
    return written


def admitting(found: list[Table], runs: Sequence[Stored], beside: Iterable[Stored], across: bool) -> list[Table]:
    """The tables, each with how many of the other stored runs would belong into it."""
    have = {r.folder for r in runs}
    others = [r for r in beside if r.folder not in have]
    if not others:
        return found
    whole = sizes([*runs, *others], across)
    return [replace(t, left_out=max(0, whole.get(set_of(t.frame), 0) - len(t.runs))) for t in found]


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
    write_atomic(folder / "table1.csv", csv(table))
    write_atomic(folder / "differences.csv", differences(table))
    if (path := folder / "table1.tex").exists():
        write_atomic(path, latex(table))
    if (path := folder / "table1.md").exists():
        note = path.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[2]
        write_atomic(path, "\n".join([markdown(table), reading(table), "", note, ""]))
    if (path := folder / "fid_against_clip.png").exists():
        from benchmark.plots import redraw

        redraw(table, path)
    if (path := folder / "report.html").exists():
        old = path.read_text(encoding="utf-8")
        title, note = (html.unescape(re.findall(rf"<{t}>(.*?)</{t}>", old, flags=re.S)[-1]) for t in ("h1", "p"))
        write_atomic(path, page(replace(table, title=title), note, re.findall(r'<img src="([^"]+)"', old)))
    return table
