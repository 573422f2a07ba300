"""A table and its runs as the JSON that the page draws from."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.budget import Budget
from benchmark.plugins.summary import first_sentence
from benchmark.registry import PLOTS
from benchmark.report.cells import heads, lines, meanings
from benchmark.report.explorer.importance import importance
from benchmark.report.explorer.runs import described, fewest, lines_of, searched
from benchmark.report.frame import standing
from benchmark.report.look import looks
from benchmark.report.metrics import metric_of
from benchmark.report.notes import footnote
from benchmark.report.over_time import means, views
from benchmark.report.page import embedded
from benchmark.report.paper import Layout, paper
from benchmark.report.reading import reading
from benchmark.report.sheets import csv, differences
from benchmark.report.spending import spent, spent_by
from benchmark.report.statistics.sheet import Statistic, sheet
from benchmark.report.table import Table
from benchmark.store.stored import Stored

_SHAPES = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"}
_OTHER_SHAPE = "cross"
_DASHES: dict[str, list[int]] = {"-": [], "--": [6, 3], ":": [2, 2], "-.": [6, 3, 2, 3]}
_SPENT = ("seconds", "evaluations", "steps", "proposals")
# the page draws these itself
_OWN = ("samples.png", "quality_over_time.png")


def data_of(
    table: Table,
    folder: Path,
    pictures: Sequence[str],
    layout: Layout,
    found: Sequence[Statistic],
) -> dict[str, Any]:
    """pictures: their names in `folder`.  layout: of paper.tex.  found: statistics of the table."""
    made = views(table)
    at = [view.at for view in made]
    labels, look = [row.label for row in table.rows], looks(table)
    runs = [(labels.index(row.label), run) for row in table.rows for run in row.stored]
    every = runs + [(labels.index(row.label), run) for row in table.rows for run in row.lost]
    points = [p for k, mark in enumerate(at) for p in _points(table, runs, k, mark)]
    few = fewest(every)
    spaces = (run.run["space"] for _, run in runs if run.run["space"])
    axes: list[dict[str, Any]] = next(spaces, [])
    listed = {run.run["run_id"] for _, run in few}
    return {
        "title": table.title,
        "unit": "evaluations" if table.unit == "nfe" else "seconds",
        "steps": all(p.get("all_steps") is not None for _, run in runs for p in run.proposals),
        "metrics": [
            {"name": m, "head": table.heading(m), "lower": metric_of(m).lower}
            for m in table.metrics
        ],
        "axes": axes,
        "importance": importance([run for _, run in runs], axes),
        "trials_shown": lines_of(len(few)),
        "main": table.main,
        "rows": [{"label": label, **_look(look[label])} for label in labels],
        "budgets": [_label(table, mark) for mark in at],
        "tables": [
            {
                "heads": heads(view),
                "lines": [list(map(list, line)) for line in lines(view)],
                # lines of reference come after the rows
                "rows": [labels.index(row.label) for row in view.rows],
                "reading": reading(view),
            }
            for view in made
        ],
        "columns": _meanings(made),
        "files": [{"csv": csv(view), "tex": paper(view, layout)} for view in made],
        "differences": differences(table),
        "statistics": sheet(found),
        "points": [p for p in points if p["run"] in listed],
        "means": _means(table, made, points),
        "searched": [
            {"row": row, "run": run.run["run_id"], "points": searched(run)} for row, run in few
        ],
        "runs": described(few),
        "run_count": len(every),
        "pictures": [
            {
                "name": name.removesuffix(".png"),
                "src": embedded(folder / name),
                "about": first_sentence(_plot(name)),
            }
            for name in pictures
            if name not in _OWN
        ],
        "footnote": footnote(table),
    }


def _meanings(views: Sequence[Table]) -> list[dict[str, str]]:
    """What each column means, of all that some budget's table has."""
    # in the order of the last one, which has all that a search costs
    found = {head: about for view in reversed(views) for head, about in meanings(view)}
    return [{"head": head, "about": about} for head, about in found.items()]


def _plot(name: str) -> Any:
    """What draws a picture; None for what is no longer registered."""
    known = name.removesuffix(".png")
    return PLOTS.get(known) if known in PLOTS else None


def _label(table: Table, mark: Budget | None) -> dict[str, Any]:
    if mark is not None:
        return {"label": str(mark), "amount": mark.amount}
    spec = table.runs[0].run["spec"]
    return {"label": spec["budget"], "amount": Budget.parse(spec["budget"]).amount}


def _look(look: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "colour": look["color"],
        "shape": _SHAPES.get(look["marker"], _OTHER_SHAPE),
        "dash": _DASHES[look["linestyle"]],
        # a method's further rows
        "hollow": look["markerfacecolor"] != look["color"],
    }


def _points(
    table: Table, runs: Sequence[tuple[int, Stored]], k: int, mark: Budget | None
) -> list[dict[str, Any]]:
    """What stood in each run at a mark, or at the end."""
    found = []
    for row, run in runs:
        test = standing(run, mark)
        if test is None:
            continue
        by = table.unit
        stamps = [spent(p, by) for p in run.proposals]
        here = spent(test, by)
        by_then = spent_by(run, mark)
        x = {
            "seconds": spent(by_then, "s"),
            "evaluations": spent(by_then, "nfe"),
            # runs of early versions do not say; then the page does not offer it
            "steps": test.get("all_steps") or 0,
            "proposals": max(1, bisect.bisect_right(stamps, here)),
        }
        found.append(
            {
                "row": row,
                "run": run.run["run_id"],
                "seed": run.run["spec"]["seed"],
                "prompt": run.run["spec"]["prompt"],
                "mark": k,
                "test": run.tests.index(test),
                **x,
                "m": test["metrics"],
                "lam": test["lam"],
            }
        )
    return found


def _means(
    table: Table, made: Sequence[Table], points: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """made: the table at each mark.  points: of every run."""
    labels = [row.label for row in table.rows]
    at = {(p["mark"], p["run"]): p for p in points}
    found = []
    for mean in means(table, made, table.metrics):
        own, e = [at[mean.mark, run.run["run_id"]] for run in mean.runs], mean.estimate
        limits = {"low": e.low, "high": e.high} if np.isfinite(e.low) else {}
        x = {name: float(np.mean([p[name] for p in own])) for name in _SPENT}
        place = {"row": labels.index(mean.row), "mark": mean.mark, "metric": mean.metric}
        found.append({**place, **x, "y": e.mean, **limits})
    return found
