"""The report's pictures: quality against cost, lam and its curves, FID against CLIP score, samples, where the time went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context

from benchmark.budget import Budget, Unit
from benchmark.clock import ACCOUNTS
from benchmark.columns import METRICS
from benchmark.curves import curves, lam_over_time
from benchmark.errors import said
from benchmark.look import COLOURS, SPENT, STYLE, finish, last, looks, name, picture, spent_axis, subplots, whole
from benchmark.store import Stored
from benchmark.table import Table


def quality_over_time(table: Table, metric: str, path: Path) -> Path | None:
    """The metric of what stood at the marks and at the end; a method that ended keeps its answer (thin line). None where
    there is nothing to draw.
    """
    figure, axes = subplots(figsize=(7, 4.2))
    end = last(table)
    first = end
    for row in table.rows:
        points = _over_marks(
            [r for r in row.stored if r.tests and metric in r.tests[-1]["metrics"]], metric, table.unit
        )
        if not points:
            continue
        x, middle, low, high = (np.array(v) for v in zip(*points, strict=True))
        first = min(first, float(x[0]))
        look = looks(table)[row.label]
        if np.isfinite(low).all():
            axes.errorbar(
                x, middle, yerr=[middle - low, high - middle], fmt="none", color=look["color"], capsize=3, lw=1
            )
        axes.plot(x, middle, label=row.label, lw=1.8, ms=5, **look)
        axes.plot([x[-1], end], [middle[-1]] * 2, color=look["color"], lw=0.8, alpha=0.6)
    if not axes.lines:
        return None
    spent_axis(axes, first / 1.2, end * 1.1, table.unit)
    axes.set_xlabel(f"{SPENT[table.unit]} of search" + (" (method + objective)" if table.unit == "s" else ""))
    axes.set(ylabel=name(table, metric), title=table.title)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure, path)


def _over_marks(runs: list[Stored], metric: str, unit: Unit) -> list[tuple[float, float, float, float]]:
    """(spent, mean, low, high) at each mark that all runs had reached with a measured proposal, and at the end."""
    points = []
    marks = [Budget.parse(m).amount for m in (runs[0].run["spec"]["marks"] if runs else ())]
    for mark in sorted({*marks, float("inf")}):
        at: dict[tuple[int, str], float] = {}
        when = []
        for r in runs:
            tests = [t for t in r.tests if t["nfe" if unit == "nfe" else "seconds"] <= mark]
            if tests and metric in tests[-1]["metrics"]:
                at[(r.run["spec"]["seed"], r.run["spec"]["prompt"])] = tests[-1]["metrics"][metric]
                when.append(min(mark, whole(r, unit)))
        if runs and len(at) == len(runs):
            e = METRICS[metric].estimate(at)
            points.append((float(np.mean(when)), e.mean, e.low, e.high))
    return sorted(set(points))


def fid_against_clip(table: Table, path: Path) -> Path:
    figure, axes = subplots(figsize=(6.5, 4.2))
    for row in table.rows:
        if {"fid", "clip"} <= row.metrics.keys():
            x, y = row.metrics["fid"], row.metrics["clip"]
            look = looks(table)[row.label]
            known = bool(np.isfinite(x.low))
            axes.errorbar(
                x.mean,
                y.mean,
                xerr=[[x.mean - x.low], [x.high - x.mean]] if known else None,
                yerr=[[y.mean - y.low], [y.high - y.mean]] if known else None,
                color=look["color"],
                fmt=look["marker"],
                ms=7,
                capsize=3,
                lw=1.2,
                label=row.label,
            )
    axes.set(xlabel=name(table, "fid"), ylabel=name(table, "clip"), title=table.title)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure, path)


def sample_grid(table: Table, path: Path) -> Path | None:
    """The final images of each method: the lowest seed that all have, a block a prompt, the same image seeds in a column."""
    have, seed = _shared_samples(table)
    if not have:
        return None
    prompts = sorted({prompt for runs in have.values() for prompt in runs if all(prompt in r for r in have.values())})
    tall, wide = next(iter(next(iter(have.values())).values())).shape[:2]
    side = min(max(tall / 150, 0.575), 1.3)  # inches of one image: small ones enlarged, large ones up to 195 pixels
    size = (side * wide / tall * len(prompts) + 1.2, (side + 0.175) * len(have) + 0.4)
    figure, grid = subplots(len(have), len(prompts), figsize=size, squeeze=False)
    for i, (label, runs) in enumerate(have.items()):
        for j, prompt in enumerate(prompts):
            axes = grid[i][j]
            axes.imshow(runs[prompt], interpolation="lanczos")
            axes.axis("off")
            if i == 0:
                axes.set_title(f"“{prompt}”" if prompt else f"seed {seed}", fontsize=9)
            if j == 0:
                axes.text(-0.02, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(wspace=0.03, hspace=0.04)
    return finish(figure, path)


def _shared_samples(table: Table) -> tuple[dict[str, dict[str, Any]], int]:
    """By row, the pictures by prompt of the lowest seed that all rows have some of; only those are read."""
    have = {
        row.label: {
            (r.run["spec"]["seed"], r.run["spec"]["prompt"]): path
            for r in row.stored
            if (path := r.folder / "samples.png").exists()
        }
        for row in table.rows
    }
    have = {k: v for k, v in have.items() if any(picture(path) is not None for path in v.values())}
    cells = set.intersection(*(set(v) for v in have.values())) if have else set()
    for seed in sorted({s for s, _ in cells}):
        read = {
            label: {p: image for (s, p), path in v.items() if s == seed and (image := picture(path)) is not None}
            for label, v in have.items()
        }
        if set.intersection(*(set(v) for v in read.values())):
            return read, seed
    return {}, 0


def where_time_went(table: Table, path: Path) -> Path:
    """Mean seconds of a run by account of the ledger."""
    figure, axes = subplots(figsize=(7, 0.42 * len(table.rows) + 1.4))
    left = np.zeros(len(table.rows))
    for k, account in enumerate(ACCOUNTS):
        width = np.array([np.mean([r.run["ledger"][account] for r in row.stored] or [0.0]) for row in table.rows])
        axes.barh([r.label for r in table.rows], width, left=left, label=account, color=COLOURS[k], height=0.65)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("seconds a run (mean); a budget counts method + objective")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return finish(figure, path)


def redraw(table: Table, path: Path) -> Path:
    """The picture that needs no runs, `fid_against_clip.png`."""
    with rc_context(STYLE):
        return fid_against_clip(table, path)


def draw(table: Table, folder: Path, metric: str | None = None) -> tuple[list[Path], list[str]]:
    """Every picture that the table's runs can give, as PNG; returns their paths, and what is wrong with each that failed."""
    if not any(r.done for r in table.runs):
        return [], []
    shown = metric or next((m for m in ("clip", *table.metrics) if m in table.metrics), None)
    jobs: dict[str, Callable[[Path], Path | None]] = {
        "quality_over_time.png": lambda path: quality_over_time(table, shown, path) if shown else None,
        "lam_over_time.png": lambda path: lam_over_time(table, path),
        "curves.png": lambda path: curves(table, path),
        "where_time_went.png": lambda path: where_time_went(table, path),
        "samples.png": lambda path: sample_grid(table, path),
    }
    if {"fid", "clip"} <= set(table.metrics):
        jobs["fid_against_clip.png"] = lambda path: fid_against_clip(table, path)
    drawn, failed = [], []
    with rc_context(STYLE):
        for name, job in jobs.items():
            try:
                if (path := job(folder / name)) is not None:
                    drawn.append(path)
            except Exception as error:  # a picture is not worth a table
                failed.append(f"{name}: {said(error)}")
    return drawn, failed
