"""The report's pictures: quality against time, lam over time, FID against CLIP score, samples, where the time went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmark.clock import ACCOUNTS
from benchmark.stats import estimate
from benchmark.store import Stored
from benchmark.table import Table

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import NullLocator

_NAMES = {
    "fid": "FID (lower is better)",
    "clip": "CLIP score",
    "accuracy": "prompt accuracy",
    "objective": "F (lower is better)",
}
_STYLE: Any = {
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "font.size": 10,
    "legend.frameon": False, "figure.dpi": 110, "savefig.dpi": 150, "savefig.bbox": "tight",
}  # fmt: skip
_TICKS = (0.001, 0.01, 0.1, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 36000)
_COLOURS = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]


def _look(table: Table) -> dict[str, dict[str, Any]]:
    """One colour a method; another line where it stands a second time, on another lower-level solver or with other options."""
    names = sorted({r.method for r in table.rows})
    lowers = sorted({(r.lower, r.variant) for r in table.rows})
    shapes = (("-", "o"), ("--", "s"), (":", "^"))
    return {
        r.label: {"color": _COLOURS[names.index(r.method) % 10], "linestyle": shapes[lowers.index((r.lower, r.variant)) % 3][0],
                  "marker": shapes[lowers.index((r.lower, r.variant)) % 3][1]}
        for r in table.rows
    }  # fmt: skip


def _finish(figure: Any, path: Path) -> Path:
    figure.savefig(path)
    plt.close(figure)
    return path


def _seconds_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis from low to high with the ticks that a reader knows from clocks."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [t for t in _TICKS if low <= t <= high]
    axes.set_xticks(ticks[:: max(1, len(ticks) // 5)])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def quality_over_time(table: Table, metric: str, path: Path) -> Path:
    """The metric of what stood at the marks and at the end; a method that ended keeps its answer (thin line)."""
    figure, axes = plt.subplots(figsize=(7, 4.2))
    end = _last_second(table)
    first = end
    for row in table.rows:
        points = _over_marks([r for r in row.stored if metric in r.tests[-1]["metrics"]], metric)
        if not points:
            continue
        x, middle, low, high = (np.array(v) for v in zip(*points, strict=True))
        first = min(first, float(x[0]))
        look = _look(table)[row.label]
        if np.isfinite(low).all():
            axes.errorbar(
                x, middle, yerr=[middle - low, high - middle], fmt="none", color=look["color"], capsize=3, lw=1
            )
        axes.plot(x, middle, label=row.label, lw=1.8, ms=5, **look)
        axes.plot([x[-1], end], [middle[-1]] * 2, color=look["color"], lw=0.8, alpha=0.6)
    _seconds_axis(axes, first / 1.2, end * 1.1)
    axes.set(xlabel="seconds of search (method + objective)", ylabel=_NAMES.get(metric, metric), title=table.title)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _finish(figure, path)


def _last_second(table: Table) -> float:
    return float(max([2e-3, *(r.run["search_seconds"] for r in table.runs if r.done)]))


def _over_marks(runs: list[Stored], metric: str) -> list[tuple[float, float, float, float]]:
    """(seconds, mean, low, high) at each mark that all runs had reached with a measured proposal, and at the end."""
    points = []
    unit = "nfe" if runs and runs[0].run["spec"]["budget"].endswith("nfe") else "seconds"
    marks = [float(m.removesuffix("nfe").removesuffix("s")) for m in (runs[0].run["spec"]["marks"] if runs else ())]
    for mark in sorted({*marks, float("inf")}):
        at: dict[tuple[int, str], float] = {}
        when = []
        for r in runs:
            tests = [t for t in r.tests if t[unit] <= mark]
            if tests:
                at[(r.run["spec"]["seed"], r.run["spec"]["prompt"])] = tests[-1]["metrics"][metric]
                when.append(min(mark, r.run["search_seconds"]) if unit == "seconds" else tests[-1]["seconds"])
        if runs and len(at) == len(runs):
            e = estimate(at)
            points.append((max(float(np.mean(when)), 1e-3), e.mean, e.low, e.high))
    return sorted(set(points))


def lam_over_time(table: Table, path: Path) -> Path | None:
    """Every run's incumbent lam as it changed, one panel a method and axis, four in a line."""
    names = sorted({k for r in table.runs for p in r.proposals for k in p["lam"]})
    panels = [(name, row) for name in names for row in table.rows if any(run.proposals for run in row.stored)]
    if not panels:
        return None
    wide = min(4, len(panels))
    deep = -(-len(panels) // wide)
    figure, grid = plt.subplots(deep, wide, figsize=(2.6 * wide + 0.6, 2.3 * deep), sharex=True, squeeze=False)
    end = _last_second(table)
    first = min(p["seconds"] for r in table.runs for p in r.proposals)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, (name, row) in zip(grid.flat, panels, strict=False):
        every = [p["lam"][name] for r in table.runs for p in r.proposals]
        steps = []
        for run in filter(lambda r: r.proposals, row.stored):
            x = [*(max(p["seconds"], 1e-3) for p in run.proposals), end]
            y = [p["lam"][name] for p in run.proposals]
            steps.append(np.column_stack([np.repeat(x, 2)[1:-1], np.repeat(y, 2)]))
        axes.add_collection(
            LineCollection(steps, colors=[_look(table)[row.label]["color"]], alpha=0.55, linewidths=1.1)
        )
        _seconds_axis(axes, max(first, 1e-3) / 1.2, end * 1.1)
        if min(every) > 0 and max(every) / min(every) > 20:
            axes.set_yscale("log")
        axes.set_ylim(_margin(min(every), axes.get_yscale(), -1), _margin(max(every), axes.get_yscale(), 1))
        axes.set_title(row.label, fontsize=9)
        axes.set_ylabel(name, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    figure.tight_layout()
    return _finish(figure, path)


def _margin(value: float, scale: str, sign: int) -> float:
    """A little beyond the value, on a linear or logarithmic axis."""
    return float(value * 1.3**sign if scale == "log" else value + sign * 0.05 * (abs(value) + 1))


def fid_against_clip(table: Table, path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(6.5, 4.2))
    for row in table.rows:
        if {"fid", "clip"} <= row.metrics.keys():
            x, y = row.metrics["fid"], row.metrics["clip"]
            look = _look(table)[row.label]
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
    axes.set(xlabel=_NAMES["fid"], ylabel=_NAMES["clip"], title=table.title)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _finish(figure, path)


def sample_grid(table: Table, path: Path) -> Path | None:
    """The final images of each method: the lowest seed that all have, a block a prompt, the same image seeds in a column."""
    have = {
        row.label: {
            (r.run["spec"]["seed"], r.run["spec"]["prompt"]): r
            for r in row.stored
            if (r.folder / "samples.png").exists()
        }
        for row in table.rows
    }
    have = {k: v for k, v in have.items() if v}
    shared = set.intersection(*(set(v) for v in have.values())) if have else set()
    if not shared:
        return None
    seed = min(s for s, _ in shared)
    prompts = sorted(p for s, p in shared if s == seed)
    figure, grid = plt.subplots(
        len(have), len(prompts), figsize=(4.6 * len(prompts) + 1.2, 0.75 * len(have) + 0.4), squeeze=False
    )
    for i, (label, runs) in enumerate(have.items()):
        for j, prompt in enumerate(prompts):
            axes: Axes = grid[i][j]
            axes.imshow(plt.imread(runs[(seed, prompt)].folder / "samples.png"), interpolation="lanczos")
            axes.axis("off")
            if i == 0:
                axes.set_title(f"“{prompt}”", fontsize=9)
            if j == 0:
                axes.text(-0.02, 0.5, label, transform=axes.transAxes, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(wspace=0.03, hspace=0.04)
    return _finish(figure, path)


def where_time_went(table: Table, path: Path) -> Path:
    """Mean seconds of a run by account of the ledger."""
    figure, axes = plt.subplots(figsize=(7, 0.42 * len(table.rows) + 1.4))
    left = np.zeros(len(table.rows))
    for k, account in enumerate(ACCOUNTS):
        width = np.array([np.mean([r.run["ledger"][account] for r in row.stored] or [0.0]) for row in table.rows])
        axes.barh([r.label for r in table.rows], width, left=left, label=account, color=_COLOURS[k], height=0.65)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("seconds a run (mean); a budget counts method + objective")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return _finish(figure, path)


def draw(table: Table, folder: Path, metric: str | None = None) -> list[Path]:
    """Every picture that the table's runs can give, as PNG; returns their paths."""
    if not any(r.done for r in table.runs):
        return []
    shown = metric or next((m for m in ("clip", *table.metrics) if m in table.metrics), None)
    jobs: list[Callable[[], Path | None]] = [
        lambda: quality_over_time(table, shown, folder / "quality_over_time.png") if shown else None,
        lambda: lam_over_time(table, folder / "lam_over_time.png"),
        lambda: where_time_went(table, folder / "where_time_went.png"),
        lambda: sample_grid(table, folder / "samples.png"),
    ]
    if {"fid", "clip"} <= set(table.metrics):
        jobs.append(lambda: fid_against_clip(table, folder / "fid_against_clip.png"))
    with plt.rc_context(_STYLE):
        return [p for job in jobs if (p := job()) is not None]
