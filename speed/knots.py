"""What a search costs as the noise schedule gets more axes: 4, 8 and 16 knots of the log-SNR.

    bench run suites/noise_schedule_trials.toml --jobs 2 --refit --out trials
    bench run suites/noise_schedule_knots.toml --jobs 2 --refit --out knots
    RUNS=trials:knots python -m speed knots

Writes results/noise_schedule/knots/: `rows.csv` (a row a run), `against.csv` (each method against
the default and against Gaussian-process search, paired by seeds), `knots.png`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.hues import hue_of
from benchmark.report.look import subplots
from benchmark.report.stats import difference, estimate
from benchmark.store.store import Store
from benchmark.store.stored import Stored

FOLDER = Path("results/noise_schedule/knots")
HELD = "bilevel (control=loss)"
METHODS = ("default", "random", "gp", "hyperband", HELD, "bilevel", "f2sa")
METRICS = {"fid_refit": "FID after 320 steps", "fid_refit_80": "FID after 80 steps"}
AGAINST = ("default", "gp")
# of the option, which a run does not name then
_DEFAULT = 8


def rows_of(runs: list[Stored]) -> pd.DataFrame:
    """A row a run of these methods, with what fresh trainings at its answer gave."""
    found = []
    for run in runs:
        spec = run.run["spec"]
        held = spec["method_options"].get("control") == "loss"
        method = HELD if spec["method"] == "bilevel" and held else spec["method"]
        if method in METHODS and run.done and run.tests:
            metrics = run.tests[-1]["metrics"]
            found.append(
                {
                    "knots": int(spec["task_options"].get("knots", _DEFAULT)),
                    "method": method,
                    "seed": int(spec["seed"]),
                    **{m: metrics[m] for m in (*METRICS, "fid")},
                }
            )
    rows = pd.DataFrame(found).drop_duplicates(["knots", "method", "seed"])
    return rows.sort_values(["knots", "method", "seed"], ignore_index=True)


def cells_of(
    rows: pd.DataFrame, knots: int, method: str, metric: str
) -> dict[tuple[int, str], float]:
    """By seed and an empty prompt."""
    own = rows[(rows["knots"] == knots) & (rows["method"] == method)]
    return {(int(s), ""): float(v) for s, v in zip(own["seed"], own[metric], strict=True)}


def against(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Differences, below 0 where the method is better."""
    for knots in sorted(rows["knots"].unique()):
        for metric in METRICS:
            for other in AGAINST:
                theirs = cells_of(rows, knots, other, metric)
                for method in METHODS:
                    apart = difference(cells_of(rows, knots, method, metric), theirs)
                    if method != other and apart is not None:
                        yield {
                            "knots": knots,
                            "metric": metric,
                            "method": method,
                            "other": other,
                            "difference": apart.mean,
                            "low": apart.low,
                            "high": apart.high,
                            "p": apart.p,
                        }


def draw(rows: pd.DataFrame, path: Path) -> None:
    """What an answer is worth over the number of knots: mean and 95 % interval."""
    figure, panels = subplots(1, 2, figsize=(11, 4.2))
    for axes, (metric, head) in zip(panels.flat, METRICS.items(), strict=True):
        for k, method in enumerate(METHODS):
            many = sorted(rows.loc[rows["method"] == method, "knots"].unique())
            every = [estimate(cells_of(rows, n, method, metric)) for n in many]
            x = np.array(many) * 1.02 ** (k - (len(METHODS) - 1) / 2)
            mean = np.array([e.mean for e in every])
            bars = [mean - [e.low for e in every], [e.high for e in every] - mean]
            colour, marker = hue_of(method.partition(" ")[0])
            # bilevel whose steps nothing holds
            fill = "white" if method == "bilevel" else colour
            axes.errorbar(x, mean, yerr=bars, fmt="none", color=colour, capsize=2, lw=0.8)
            axes.plot(x, mean, label=method, lw=1.3, ms=5, color=colour, marker=marker, mfc=fill)
        axes.set_xscale("log", base=2)
        axes.set_xticks([4, 8, 16], ["4", "8", "16"])
        axes.minorticks_off()
        axes.set(xlabel="knots of the log-SNR", ylabel=f"{head} ↓", ylim=(0, 18))
    panels.flat[0].legend(frameon=False)
    figure.suptitle("What an answer is worth, trained anew, over the number of axes")
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    folders = os.environ["RUNS"].split(":")
    found = rows_of([run for folder in folders for run in Store(Path(folder))])
    FOLDER.mkdir(parents=True, exist_ok=True)
    found.to_csv(FOLDER / "rows.csv", index=False, float_format="%.6g")
    # with the digits that are stored, so that all else can be made again from them
    rows = pd.read_csv(FOLDER / "rows.csv")
    compared = pd.DataFrame(against(rows))
    compared.to_csv(FOLDER / "against.csv", index=False, float_format="%.4g")
    draw(rows, FOLDER / "knots.png")
    print(compared.to_string(index=False))


if __name__ == "__main__":
    main()
