"""May the task `replay` be trusted? How fast it is, and whether it ranks methods as the live task.

    python -m speed replay

Ten methods over 100 seeds, in two processes of one core each: their seconds. Then the methods of
results/methods/noise_schedule whose answer is one training: Kendall's tau between their mean FID
there and their mean F on the shipped table, with a 95 % interval over methods like these.
Writes results/replay/.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmark import load_results

FOLDER = Path("results/replay")
LIVE = Path("results/methods/noise_schedule/runs.csv")
BUDGET = "85000nfe"
SEEDS = 100
# two halves, of about the same length
FAST = (
    ("random", "tpe", "qmc", "grid", "bilevel"),
    ("cmaes", "hyperband", "asha", "successive_halving", "pbt"),
)
# seconds each, most of them their own computing
SLOW, SLOW_SEEDS = ("default", "gp", "bayesian", "freeze_thaw"), 20
# whose network as found has had more steps than a full fit, or whose slope here is the process's
NOT_COMPARED = {"bilevel", "t1t2", "neumann", "cg", "unrolled", "f2sa", "es"}
_TRIALS = ("random", "bayesian", "tpe", "gp", "cmaes", "qmc")


def _bench(methods: tuple[str, ...], seeds: int, out: Path, exact: bool) -> subprocess.Popen[bytes]:
    limits = [w for m in _TRIALS if m in methods for w in ("--set", f"{m}.trials=1000")]
    words = ["run", "--method", ",".join(methods), "--task", "replay", "--budget", BUDGET]
    words += ["--seeds", f"0-{seeds - 1}", "--marks=", "--in-process", "--quiet", *limits]
    if exact:
        # the live runs' settings, and rungs at the steps that they had
        words += ["--set", "replay.stride=1"]
        words += ["--set", "bayesian.initial=2"] if "bayesian" in methods else []
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words, "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )


def timed(out: Path) -> float:
    """Seconds of ten methods over 100 seeds on two cores, starting Python and fitting included."""
    began = time.monotonic()
    running = [_bench(own, SEEDS, out / str(k), exact=False) for k, own in enumerate(FAST)]
    if any(process.wait() for process in running):
        raise RuntimeError("a search of the record failed")
    return time.monotonic() - began


def by_method(frame: pd.DataFrame, metric: str) -> dict[str, NDArray[np.float64]]:
    return {str(m): part[metric].dropna().to_numpy() for m, part in frame.groupby("method")}


def interval(found: float, n: int, samples: int = 2000) -> tuple[float, float]:
    """Of Kendall's tau over n methods, 95 %: all values under which `found` is no rare one.

    The methods are taken as a sample, and the two orders as those of a bivariate normal (Greiner:
    its correlation is sin(pi tau / 2)), for which the tails are counted in simulated samples.
    """
    rng = np.random.default_rng(0)
    x, e = rng.standard_normal((2, samples, n))
    first, second = np.triu_indices(n, 1)
    order = np.sign(x[:, first] - x[:, second])
    kept = []
    for true in np.linspace(-0.99, 0.99, 199):
        rho = np.sin(np.pi * true / 2)
        y = rho * x + np.sqrt(1 - rho**2) * e
        sampled = (order * np.sign(y[:, first] - y[:, second])).mean(axis=1)
        if min((sampled >= found - 1e-9).mean(), (sampled <= found + 1e-9).mean()) > 0.025:
            kept.append(float(true))
    return min(kept), max(kept)


def tau(
    live: dict[str, NDArray[np.float64]], replay: dict[str, NDArray[np.float64]]
) -> tuple[float, float, float]:
    """Kendall's tau of the means and its interval."""
    means = [[of[name].mean() for name in sorted(live)] for of in (live, replay)]
    found = float(kendalltau(*means).statistic)
    return found, *interval(found, len(live))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        seconds = timed(out)
        count = SEEDS * sum(map(len, FAST))
        print(f"{count} searches of the record in {seconds:.0f} s on two cores")
        exact = [
            _bench(own, seeds, out / f"exact {k}", exact=True)
            for k, (own, seeds) in enumerate(((FAST[0] + FAST[1], SEEDS), (SLOW, SLOW_SEEDS)))
        ]
        if any(process.wait() for process in exact):
            raise RuntimeError("a search of the record failed")
        frames = [load_results(out / f"exact {k}").frame for k in range(len(exact))]
        replay = by_method(pd.concat(frames), "objective")
    live = by_method(pd.read_csv(LIVE), "fid")
    names = sorted((set(live) & set(replay)) - NOT_COMPARED)
    rows = pd.DataFrame(
        {
            "method": names,
            "live_fid": [live[n].mean() for n in names],
            "live_seeds": [len(live[n]) for n in names],
            "replay_f": [replay[n].mean() for n in names],
            "replay_seeds": [len(replay[n]) for n in names],
        }
    ).sort_values("live_fid", ignore_index=True)
    found, low, high = tau({n: live[n] for n in names}, {n: replay[n] for n in names})
    print(rows.round(3).to_string(index=False))
    print(f"Kendall's tau over {len(names)} methods: {found:.2f} [{low:.2f}, {high:.2f}]")
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows.to_csv(FOLDER / "ranking.csv", index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
