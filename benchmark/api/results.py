"""Stored runs in Python's hands: as frames, tables, plots, and as a notebook shows them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmark import escape
from benchmark.api.explained import explained
from benchmark.api.inputs import (
    is_whole,
    items,
    read_flag,
    read_jobs,
    read_names,
    read_path,
    read_paths,
    require_text,
)
from benchmark.errors import UsageError, shown
from benchmark.export.evaluations import evaluations, proposals
from benchmark.export.export import export
from benchmark.registry import PLOTS
from benchmark.report import formats
from benchmark.report.causes import causes
from benchmark.report.drawing import explain, figure_of, for_notebook
from benchmark.report.frame import frame
from benchmark.report.notes import footnote
from benchmark.report.page import html_table
from benchmark.report.reading import reading
from benchmark.report.table import Table, tables
from benchmark.report.variants import variants
from benchmark.runs.use import use_of
from benchmark.store.store import Store, Stored, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Results:
    """Some stored runs.

    `results.frame` has a row a run, `results.history()` a row a proposal, `results.tables()` a
    table for each comparable set of runs. A notebook shows the tables.
    """

    def __init__(self, runs: Iterable[Stored]) -> None:
        """Raises UsageError for what is no stored run."""
        found = list(items(runs) or (None,))
        stored = tuple(run for run in found if isinstance(run, Stored))
        if len(stored) < len(found):
            raise UsageError(
                f"Results {shown(runs)}: expected stored runs, such as `load_results().runs`"
            )
        self.runs: tuple[Stored, ...] = stored

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def failed(self) -> tuple[Stored, ...]:
        """The runs that ended with an error, which is `run["error"]` of each."""
        return tuple(run for run in self.runs if run.run["status"] == "failed")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row a run, in the order of the runs.

        Columns: what the run was, with variant, the options in which runs of one method differ;
        status; metrics; costs in seconds, network evaluations and bytes; and its answer, as
        lam.<name> in native units.
        """
        different, _ = variants(list(self.runs), across=False)
        return frame(self.runs).assign(variant=different)

    def history(self) -> pd.DataFrame:
        """A row a proposal, in the order of the runs and of time.

        Columns: whose proposal it is (task to variant, the options in which runs of one method
        differ); seconds and nfe, spent on the search by then; loss, the F that the method
        reported; and lam.<name> in native units.
        """
        different, _ = variants(list(self.runs), across=False)
        return proposals(self.runs, different)

    def trials(self) -> pd.DataFrame:
        """A row an evaluation of F, in the order of the runs and of time.

        Columns: whose it is, as in `history()`; seconds and nfe, spent on the search by then; loss,
        which is F; steps, the fidelity, that the state had had since the start of that seed; and
        lam.<name> in native units. Methods that follow a gradient evaluate no F and have no row.
        """
        different, _ = variants(list(self.runs), across=False)
        return evaluations(self.runs, different)

    @explained
    def export(self, to: str, target: str | Path, *, replace: bool = False) -> Path:
        """Write the trials for another tool, as `bench export` does; returns the file.

        to: "optuna", "csv" or "parquet".  target: a file; for Optuna `sqlite:///FILE.db` or
        FILE.log.  replace: whether what is there may go. Raises UsageError, and StorageError where
        nothing can be written.
        """
        flag = read_flag("replace", replace)
        return Path(export(self.runs, require_text("to", to), str(target), flag).path)

    @explained
    def refit(
        self,
        *,
        jobs: int = 1,
        marks: bool = False,
        plugins: str | Path | Sequence[str | Path] = (),
        data_dir: str | Path | None = None,
    ) -> Results:
        """What each answer is worth by itself, as `bench refit`; returns the runs with it.

        jobs: trainings at a time, each in a process of its own; 1: in this one.  marks: also what
        was the answer at the marks.  plugins, data_dir: as of `run`. Warns of runs and trainings
        without it. Raises UsageError, and StorageError where nothing can be written.
        """
        from benchmark.api.given import load_plugins
        from benchmark.command.data import data_dir as data
        from benchmark.runs.executor import ExecutorSettings
        from benchmark.runs.refit import jobs as planned
        from benchmark.runs.refit import refit

        workers = ExecutorSettings(jobs=read_jobs(jobs)).jobs
        also, files = read_flag("marks", marks), tuple(read_paths("plugins", plugins))
        done = [run for run in self.runs if run.done and run.tests]
        with data(None if data_dir is None else read_path("data_dir", data_dir)):
            load_plugins(files)
            for root in dict.fromkeys(run.folder.absolute().parents[2] for run in done):
                own = [run for run in done if run.folder.absolute().parents[2] == root]
                todo, lines = planned(own, root, also)
                lines += refit(todo, root, workers=workers, plugins=files)
                for line in lines:
                    warnings.warn(line, stacklevel=3)
        return Results(read(run.folder) for run in self.runs)

    @explained
    def measure(
        self,
        metrics: str | Iterable[str] = (),
        *,
        plugins: str | Path | Sequence[str | Path] = (),
        data_dir: str | Path | None = None,
    ) -> Results:
        """Other metrics of the stored answers, as `bench measure`; returns the runs with them.

        metrics: names, such as "kid,recall"; (): all that need no network to be fetched.  plugins,
        data_dir: as of `run`. Warns of answers without. Raises UsageError, and StorageError where
        nothing can be written.
        """
        from benchmark.api.given import load_plugins
        from benchmark.command.data import data_dir as data
        from benchmark.metrics.measure import at_hand, check_names, measure, wanted

        files = tuple(read_paths("plugins", plugins))
        asked = read_names("metrics", metrics) if metrics else []
        with data(None if data_dir is None else read_path("data_dir", data_dir)):
            load_plugins(files)
            names = check_names(asked) or at_hand()
            _, lines = measure(wanted((r for r in self.runs if r.done and r.tests), names))
        for line in lines:
            warnings.warn(line, stacklevel=3)
        return Results(read(run.folder) for run in self.runs)

    def kwargs(self) -> list[dict[str, Any]]:
        """What each run found, as values for the library that it is used with, as `bench apply`.

        In the order of the runs. Raises UsageError for a run without an answer, and for a task that
        does not say how a lam is used.
        """
        return [dict(use_of(run).values) for run in self.runs]

    def tables(self) -> list[Table]:
        """A table for each comparable set of runs: one task, preset, budget and way to measure."""
        return tables(self.runs)

    @explained
    def plot(self, name: str, table: int = 0) -> Figure:
        """A registered plot of one table, such as "quality_over_time"; `bench list` names all.

        table: which of `tables()`, from 0. Raises UsageError for an unknown plot or table, and
        where these runs have nothing that it could draw.
        """
        found, name = self.tables(), require_text("name", name)
        if not is_whole(table) or not 0 <= table < len(found):
            titles = "; ".join(f"{k}: {t.title}" for k, t in enumerate(found)) or "none"
            raise UsageError(f"table {table!r}: expected the number of a table, of {titles}")
        PLOTS.get(name)
        try:
            figure = figure_of(name, found[table])
        # a plug-in's plot may raise anything
        except (Exception, SystemExit) as error:
            raise UsageError(f"plot {name!r}: {explain(name, error)}") from error
        if figure is None:
            raise UsageError(f"plot {name!r}: there is nothing to draw for {found[table].title}")
        return for_notebook(figure)

    @explained
    def report(
        self,
        out: str | Path,
        *,
        formats: str | Iterable[str] = ("md", "csv", "latex", "html", "page"),
    ) -> list[Path]:
        """Write tables and plots as `bench report` does; returns the folder of each table.

        Raises UsageError for an unknown format, and StorageError where nothing can be written.
        """
        from benchmark.report.report import report

        folder = Path(read_path("out", out))
        return [at for _, at in report(self.runs, folder, formats=read_names("formats", formats))]

    def __repr__(self) -> str:
        try:
            parts = [formats.text(t) for t in self.tables()]
        # a debugger or a failing test prints it too, and must not fail once more
        except UsageError as error:
            parts = [f"no table: {error}"]
        return "\n\n".join([*parts, *self._failures()]) or "no runs"

    def _repr_html_(self) -> str:
        try:
            parts = list(map(_shown, self.tables()))
        except UsageError as error:
            parts = [f"<p>{escape.html(f'no table: {error}')}</p>"]
        parts += [f"<p>{escape.html(line)}</p>" for line in self._failures()]
        return "".join(parts) or "<p>no runs</p>"

    def _failures(self) -> list[str]:
        """A line for each cause of failure, with one run that had it."""
        failed = causes("failed", ((run, run.run["error"]) for run in self.failed))
        return list(map(escape.visible, failed))


def _shown(table: Table) -> str:
    """A table with its notes, as HTML."""
    return (
        f"<h4>{escape.html(table.title)}</h4>"
        f'<div style="overflow-x:auto">{html_table(table)}</div>'
        f"<p>{escape.html(reading(table))}</p><p>{escape.html(footnote(table))}</p>"
    )


@explained
def load_results(folder: str | Path = "results/runs") -> Results:
    """The stored runs below a folder.

    Raises UsageError for a folder that is missing or has no run that can be read.
    """
    path = Path(read_path("folder", folder))
    if not path.is_dir():
        raise UsageError(f"{path}: expected a folder of stored runs, there is none")
    if found := Results(Store(path)):
        return found
    raise UsageError(
        f"{path}: expected stored runs (TASK/METHOD/RUN/run.json), found none; {_cure(path)}"
    )


def _cure(folder: Path) -> str:
    """What to do about a folder that holds no runs where it should."""
    above = folder.resolve().parents
    # the folder of one run, that of a method, that of a task
    for depth in range(min(3, len(above))):
        if any(folder.glob("*/" * depth + "run.json")):
            return f"give the folder above: {above[2 - depth]}"
    for inner in folder.glob("*/" * 4 + "run.json"):
        return f"give the folder in it: {inner.parents[3]}"
    if any(folder.glob("table1.csv")) or any(folder.glob("*/table1.csv")):
        return "it holds a report, so give the folder of the runs that the report is of"
    return "make some with run()"
