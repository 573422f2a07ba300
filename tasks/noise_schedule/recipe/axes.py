"""How F answers to each axis of a preset: full fits at five points of each, the others at default.

    python -m tasks.noise_schedule.recipe.axes OUT [--preset trials] [--seeds 5] [--set NAME=VALUE]

Writes axes.csv and axes.png. A difference to the default is paired over seeds, which share their
draws, so that its interval is what a search has to beat.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch

from benchmark.fitting import fit
from benchmark.options import check
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.recipe.response import by_seed, interval

matplotlib.use("Agg")
from matplotlib import pyplot as plt

POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def measure(options: NoiseSchedule, seed: int) -> list[dict[str, Any]]:
    """A row for each axis and point, and one of the default; F and its difference to that."""
    task = options.open(seed, "", "", "cpu")
    default = task.space.default()
    usual = fit(task, default, 0).loss
    rows: list[dict[str, Any]] = [{"axis": "", "place": np.nan, "F": usual, "difference": 0.0}]
    for k, axis in enumerate(task.space.axes):
        for place in POINTS:
            lam = default.copy()
            lam[k] = place
            found = fit(task, lam, 0).loss
            row = {"axis": axis.name, "place": place, "value": axis.native(place), "F": found}
            rows.append({**row, "difference": found - usual})
    print(f"seed {seed}: F at the default {usual:.4g}", flush=True)
    return [{"seed": seed, **row} for row in rows]


def draw(rows: pd.DataFrame, default: dict[str, float], path: Path) -> None:
    """A panel an axis: the paired difference to the default over the axis's place in its range."""
    names = list(default)
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(2.6 * columns, 2.3 * lines), sharey=True, squeeze=False
    )
    for panel in panels.flat[len(names) :]:
        panel.axis("off")
    for panel, name in zip(panels.flat, names, strict=False):
        part = rows[rows["axis"] == name].groupby("place")["difference"]
        width = part.apply(lambda s: interval(s.to_numpy()))
        panel.errorbar(part.mean().index, part.mean(), yerr=width, marker="o", ms=4, capsize=3)
        panel.axhline(0, color="grey", lw=0.8)
        panel.axvline(default[name], color="grey", lw=0.8, ls="--")
        panel.set_xlabel(name)
    for panel in panels[:, 0]:
        panel.set_ylabel("F - F(default)")
    figure.suptitle("Place in the range, 0 to 1; dashed: the default; 95 % intervals over seeds")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", default="trials", choices=list(NoiseSchedule.presets))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    # others are those of methods
    own = {k: v for k, v in NoiseSchedule.presets[args.preset].items() if "." not in k}
    given = dict(text.split("=", 1) for text in args.set)
    options = NoiseSchedule(**check("noise_schedule", NoiseSchedule, {**own, **given}))
    args.out.mkdir(parents=True, exist_ok=True)
    by_seed(args.out / "axes.csv", args.seeds, partial(measure, options))
    # with the digits that are stored, so that the picture can be drawn again from them
    rows = pd.read_csv(args.out / "axes.csv")
    space = options.space
    places = dict(zip((a.name for a in space.axes), space.default().tolist(), strict=True))
    draw(rows, places, args.out / "axes.png")


if __name__ == "__main__":
    main()
