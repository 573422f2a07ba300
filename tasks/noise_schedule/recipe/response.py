"""How F and the held-out FID depend on the schedule: one full fit for each value and seed.

    python -m tasks.noise_schedule.recipe.response OUT [--seeds 5] [--threads 1]

Writes response.csv and response.png. The other parameters are those of the plain cosine schedule.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch
from scipy import stats

from benchmark.fitting import fit
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COSINE = {"start": 0.0, "end": 1.0, "tau": 1.0, "eps": 0.008}  # Nichol and Dhariwal 2021
VALUES = {"tau": (0.25, 0.5, 1.0, 2.0, 3.78, 8.0), "start": (0.0, 0.2, 0.4)}


def measure(seed: int) -> list[dict[str, Any]]:
    """A row for each axis and value: F on validation, fid and inception_score on test data."""
    task, rows, known = NoiseScheduleTask(NoiseSchedule(), seed, "cpu"), [], {}
    for axis, values in VALUES.items():
        for value in values:
            native = COSINE | {axis: value}
            # the plain cosine is a value of both axes, fitted once
            key = tuple(native.values())
            if key not in known:
                lam = task.space.point(native)
                found = fit(task, lam, 0)
                test = task.test(found.state, lam).metrics
                known[key] = {"F": found.loss, **{k: test[k] for k in ("fid", "inception_score")}}
            rows.append({"axis": axis, "value": value, "seed": seed, **known[key]})
            print(rows[-1], flush=True)
    return rows


def by_seed(
    path: Path, seeds: int, measured: Callable[[int], list[dict[str, Any]]]
) -> pd.DataFrame:
    """The rows of so many seeds, stored after each; one that was cut short goes on from there."""
    rows: list[Any] = pd.read_csv(path).to_dict("records") if path.exists() else []
    stored = {r["seed"] for r in rows}
    for seed in range(seeds):
        if seed not in stored:
            rows += measured(seed)
            pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
    return pd.DataFrame(rows)


def interval(x: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Half the width of the 95 % interval of the mean (Student)."""
    return (
        float(stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5)
        if len(x) > 1
        else np.nan
    )


def draw(rows: pd.DataFrame, path: Path) -> None:
    figure, panels = plt.subplots(
        1, len(VALUES), figsize=(9, 3.6), sharey=True, width_ratios=[2, 1]
    )
    for axes, axis in zip(panels, VALUES, strict=True):
        part = rows[rows["axis"] == axis].groupby("value")
        for name, label, colour in (
            ("fid", "FID, test", "tab:blue"),
            ("F", "F, validation", "tab:orange"),
        ):
            width = part[name].apply(lambda s: interval(s.to_numpy()))
            axes.errorbar(
                part[name].mean().index,
                part[name].mean(),
                yerr=width,
                label=label,
                color=colour,
                marker="o",
                capsize=3,
            )
        axes.set_xlabel(axis)
    panels[0].set_xscale("log")
    panels[0].set_xticks(VALUES["tau"], [f"{v:g}" for v in VALUES["tau"]])
    panels[0].minorticks_off()
    panels[0].axvline(3.78, color="grey", lw=0.8, ls="--")
    panels[0].annotate(
        "linear betas\n(the default)",
        (3.78, 1),
        (-4, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=8,
        color="grey",
        ha="right",
        va="top",
    )
    panels[0].set_ylabel("Frechet distance after one full fit")
    panels[1].legend(frameon=False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "response.csv"
    by_seed(path, args.seeds, measure)
    # with the digits that are stored, so that the picture can be drawn again from them
    draw(pd.read_csv(path), args.out / "response.png")


if __name__ == "__main__":
    main()
