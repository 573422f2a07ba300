"""Drawing: each registered plot of a table, and what is wrong with those that fail."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import copy
from dataclasses import fields, replace
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmark.errors import format_error
from benchmark.plugins.entry import blamed
from benchmark.registry import PLOTS
from benchmark.report.look import STYLE, finish
from benchmark.report.table import Table


def draw(table: Table, folder: Path) -> tuple[list[Path], list[str]]:
    """Every plot of the table, as NAME.png; returns their paths, and a line for each failed one."""
    drawn, failed = [], []
    for name in PLOTS.complete() if any(r.done for r in table.runs) else ():
        path = folder / f"{name}.png"
        try:
            if (figure := figure_of(name, table)) is not None:
                drawn.append(_write(figure, path))
        # a picture is not worth a table, not even one that wants to end Python
        except (Exception, SystemExit) as error:
            failed.append(f"{path.name}: {explain(name, error)}")
    return drawn, failed


def redraw(name: str, table: Table, folder: Path) -> None:
    """One plot, of a table whose runs are not at hand."""
    if (figure := figure_of(name, table)) is not None:
        _write(figure, folder / f"{name}.png")


def figure_of(name: str, table: Table) -> Figure | None:
    """A plot in the report's style; None where there is nothing to draw.

    Raises UsageError for an unknown plot, TypeError for one that returns no figure, and what the
    plot raises.
    """
    with rc_context(STYLE):
        # a copy: what a plot takes away would be missing from the table that is printed
        found = PLOTS.get(name)(_copied(table))
    if found is not None and not isinstance(found, Figure):
        raise TypeError(f"expected a matplotlib Figure or None, got {type(found).__name__}")
    return found


def _copied(table: Table) -> Table:
    """With containers and a frame of its own; the stored runs are the same."""
    # but for what is made once for all of them
    own = {f.name: copy(getattr(table, f.name)) for f in fields(table) if f.name != "kept"}
    rows = [
        replace(row, **{f.name: copy(getattr(row, f.name)) for f in fields(row)})
        for row in table.rows
    ]
    return replace(table, **own | {"rows": rows, "frame": table.frame.copy()})


def write_figure(make: Callable[[], Figure], path: Path) -> Path:
    """A figure that is no registered plot, in the report's style. Raises OSError."""
    with rc_context(STYLE):
        return finish(make(), path)


def _write(figure: Figure, path: Path) -> Path:
    with rc_context(STYLE):  # some of it, such as the resolution, is read when a figure is written
        return finish(figure, path)


def for_notebook(figure: Figure) -> Figure:
    """The same figure, which a notebook shows as a picture where it is a cell's last value."""

    def png() -> bytes:
        content = io.BytesIO()
        with rc_context(STYLE):
            figure.savefig(content, format="png")
        return content.getvalue()

    # Jupyter knows the figures of pyplot alone, which is a backend that the suite does not load
    vars(figure)["_repr_png_"] = png
    return figure


def explain(name: str, error: BaseException) -> str:
    """With the place, where the plot is a plug-in's."""
    entry = PLOTS.entries[name]
    return format_error(error) if entry.built_in else blamed(error, entry)
