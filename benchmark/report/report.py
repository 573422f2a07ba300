"""Reports: tables, notes and pictures written to a folder, from what is stored. Runs nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import cast

from benchmark.budget import Budget
from benchmark.errors import UsageError, suggest
from benchmark.report.comparable import Beside, set_of
from benchmark.report.compare import FAILURES, Failures
from benchmark.report.files import FORMATS, WRITTEN, rewrite_files, write_report
from benchmark.report.paper import PLAIN, Layout
from benchmark.report.runs_csv import read_frame
from benchmark.report.sets import remember_sets
from benchmark.report.statistics.across import write_across
from benchmark.report.table import Table, tables, tables_of
from benchmark.store.files import make_folder, storing
from benchmark.store.store import Store, Stored, read


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's collector: it looked a tenth of the time for what a report hardly drops."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@_uncollected()
def report(
    runs: Sequence[Stored],
    out: Path,
    *,
    formats: Sequence[str] = WRITTEN,
    at: Budget | None = None,
    metric: str | None = None,
    target: float | None = None,
    across: bool = False,
    failures: str = "common",
    beside: Iterable[Stored] = (),
    layout: Layout = PLAIN,
) -> list[tuple[Table, Path]]:
    """Write tables and plots of these runs below `out`, a folder for each comparable set.

    A single set lies in `out` itself; several are compared in across.csv there. across: see
    `tables`.  target: see `Table`.  beside: other stored runs; the footnote says how many belong
    into the table.  layout: of paper.tex. Raises UsageError, and StorageError where the folder
    cannot be written.
    """
    if failures not in FAILURES:
        raise UsageError(f"--failures: expected {' or '.join(FAILURES)}, got {failures!r}")
    if target is not None and not isfinite(target):
        raise UsageError(f"--target: expected a finite number, got {target}")
    for name in formats:
        if name not in FORMATS:
            raise UsageError(
                f"--format: unknown format {name!r}{suggest(name, FORMATS)}; known: "
                f"{', '.join(FORMATS)}"
            )
    made = tables(runs, at, across, cast(Failures, failures))
    made = admitting(made, runs, beside, at, across)
    made = [replace(t, metric=metric, target=target) for t in made]
    known = sorted({m for t in made for m in t.metrics})
    if metric is not None and made and metric not in known:
        raise UsageError(
            f"--metric: unknown metric {metric!r}{suggest(metric, known)}; these runs have: "
            f"{', '.join(known) or 'none'}"
        )
    # before the first file: a word that is wrong costs no report
    layout.check(made)
    written = []
    for table in made:
        folder = out if len(made) == 1 else out / table.title.replace(", ", "-").replace(" ", "-")
        make_folder(folder)
        with storing(folder):
            written.append((write_report(table, folder, formats, layout), folder))
    if written:
        with storing(out):
            remember_sets(out, [folder for _, folder in written])
            write_across([table for table, _ in written], out, formats)
    return written


def admitting(
    found: list[Table],
    runs: Sequence[Stored],
    beside: Iterable[Stored],
    at: Budget | None,
    across: bool,
) -> list[Table]:
    """The tables with how many other stored runs belong into them, and which contradict them."""
    own = {r.folder for r in runs}
    others = [r for r in beside if r.folder not in own]
    if not others:
        return found
    # all together, since a run belongs into a set only as the others of that set do
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
    own = {r.folder for r in runs}
    for path in Store(folder).records():
        if path.parent not in own:
            # they are not in the table, so a broken one is no reason to make none
            with suppress(UsageError):
                yield read(path.parent)


@_uncollected()
def report_folder(
    folder: Path, out: Path | None = None, **options: object
) -> list[tuple[Table, Path]]:
    """`bench report`: every stored run below a folder. Raises UsageError where there is none."""
    runs = list(Store(folder))
    if not runs:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json), found none; make some "
            "with `bench run`"
        )
    if not any(r.done or r.run["status"] == "failed" for r in runs):
        raise UsageError(
            f"{folder}: all {len(runs)} runs there are unfinished; the command that began them "
            "goes on with them"
        )
    return report(runs, out or folder / "report", **options)  # type: ignore[arg-type]


def rewrite(folder: str | Path) -> Table:
    """Write a report's tables again from its `runs.csv`, for when the runs are no longer at hand.

    Its footnote comes from its report.json, and most pictures stay as they are. Raises UsageError.

    `python -c "from benchmark.report.report import rewrite; rewrite('results/reward_ft')"`
    """
    folder = Path(folder)
    found = tables_of(read_frame(folder / "runs.csv"))
    if len(found) != 1:
        raise UsageError(
            f"{folder / 'runs.csv'}: expected one comparable set of runs, found {len(found)}"
        )
    (table,) = found
    rewrite_files(table, folder)
    return table
