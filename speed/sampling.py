"""Is a tuned sampler better than what nobody tunes? Reads the runs of suites/sampling.toml.

    python -m speed sampling

Writes results/sampling/: `rows.csv` (a row a run, and one a control and seed), `against.csv` (each
method over each control on the same held-out prompts and seeds, at as many calls of the network and
at half as many), `sampling.png`. A ratio is of Frechet distances, a geometric mean over seeds.
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
from benchmark.report.stats import Difference, Estimate, difference, estimate
from benchmark.store.store import Store
from benchmark.store.stored import Stored

FOLDER = Path("results/sampling")
METHODS = ("default", "random", "gp", "tpe", "cmaes", "bilevel")
REAL = "real pictures"
_METRICS = ("fid", "clip", "accuracy", "passes")


def rows_of(runs: list[Stored]) -> pd.DataFrame:
    """kind: method or control. The runs of a seed have measured the same controls."""
    found: dict[tuple[int, str, int], dict[str, Any]] = {}
    for run in runs:
        spec, test = run.run["spec"], run.tests[-1]
        calls, seed = int(spec["task_options"].get("evaluations", 10)), int(spec["seed"])
        measured = {spec["method"]: ("method", test["metrics"])}
        measured |= {name: ("control", m) for name, m in test["references"].items()}
        for name, (kind, metrics) in measured.items():
            row = {"calls": calls, "kind": kind, "row": name, "seed": seed}
            found[calls, name, seed] = row | {m: metrics.get(m, np.nan) for m in _METRICS}
    rows = pd.DataFrame(found.values())
    return rows.sort_values(["calls", "kind", "row", "seed"], ignore_index=True)


def _values(rows: pd.DataFrame, calls: int, row: str) -> dict[tuple[int, str], float]:
    """log FID by seed."""
    own = rows[(rows["calls"] == calls) & (rows["row"] == row)]
    return {(int(s), ""): float(np.log(v)) for s, v in zip(own["seed"], own["fid"], strict=True)}


def against(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A row for each method, control, and pair of numbers of calls that is to be compared."""
    controls = sorted({*rows.loc[rows["kind"] == "control", "row"], "default"} - {REAL})
    for calls in sorted(rows["calls"].unique()):
        for many in (calls, 2 * calls):
            for method in METHODS:
                for control in controls:
                    ours, theirs = _values(rows, calls, method), _values(rows, many, control)
                    apart = difference(ours, theirs) if ours and theirs else None
                    if apart is None or (method == control and many == calls):
                        continue
                    yield {
                        "method": method,
                        "calls": calls,
                        "control": control,
                        "control_calls": many,
                        **_ratio(apart),
                    }


def _ratio(apart: Difference) -> dict[str, float]:
    return {
        "ratio": float(np.exp(apart.mean)),
        "low": float(np.exp(apart.low)),
        "high": float(np.exp(apart.high)),
        "p": apart.p,
    }


def _estimate(part: pd.DataFrame) -> Estimate:
    return estimate(
        {(int(s), ""): float(v) for s, v in zip(part["seed"], part["fid"], strict=True)}
    )


def draw(rows: pd.DataFrame, path: Path) -> None:
    """FID over the calls of the network: each method, and each control in grey."""
    figure, panels = subplots(1, 2, figsize=(12, 4.4))
    calls = sorted(rows["calls"].unique())
    marks = iter(("s", "^", "v", "x"))
    for name in sorted(rows.loc[rows["kind"] == "control", "row"].unique()):
        own = rows[rows["row"] == name].groupby("calls")["fid"].mean()
        style = {"ls": ":", "color": "black"} if name == REAL else {"marker": next(marks)}
        at = [calls.index(c) for c in own.index]
        panels[0].plot(at, own, **{"color": "0.55", "label": name, "lw": 1, **style})
    for k, method in enumerate(METHODS):
        own = rows[rows["row"] == method]
        found = {c: _estimate(part) for c, part in own.groupby("calls")}
        at = np.array([calls.index(c) for c in found]) + 0.05 * (k - 2.5)
        mean = np.array([e.mean for e in found.values()])
        bars = np.array([[e.mean - e.low, e.high - e.mean] for e in found.values()]).T
        words: dict[str, Any] = {"color": hue_of(method)[0], "marker": hue_of(method)[1]}
        panels[0].errorbar(at, mean, yerr=bars, ms=4, lw=1, capsize=2, label=method, **words)
        panels[1].plot(own["passes"], own["fid"], ls="", ms=4, label=method, **words)
    panels[0].set_xticks(range(len(calls)), [str(c) for c in calls])
    panels[0].set_xlabel("calls of the network for an image")
    panels[1].set_xlabel("passes of the U-Net for an image")
    panels[0].set_ylabel("FID on held-out prompts and seeds")
    handles, names = panels[0].get_legend_handles_labels()
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": 8, "frameon": False}
    panels[1].legend(handles, names, **beside)
    panels[1].set_title("each run; a call with guidance takes two passes", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    runs = [r for r in Store(Path(os.environ.get("RUNS", FOLDER / "runs"))) if r.done]
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows_of(runs).to_csv(FOLDER / "rows.csv", index=False, float_format="%.5g")
    # with the digits that are stored, so that all else can be made again from them
    rows = pd.read_csv(FOLDER / "rows.csv")
    compared = pd.DataFrame(against(rows))
    compared.to_csv(FOLDER / "against.csv", index=False, float_format="%.3g")
    draw(rows, FOLDER / "sampling.png")
    for (calls, row), part in rows.groupby(["calls", "row"]):
        found, others = _estimate(part), part[["clip", "accuracy", "passes"]].mean().round(3)
        print(
            f"{calls:2d} {row:26s} FID {found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]", end=""
        )
        print("".join(f"  {name} {value:g}" for name, value in others.items()))
    print(compared.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
