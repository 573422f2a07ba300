"""What several rewards ask of a search: 1 to 16 of them, on the bank and on guided images.

    python -m speed rewards

Reads the runs of `suites/reward_ft_rewards.toml` in results/reward_ft/rewards (unpacked, or the
folder in the environment variable RUNS) and writes there, or to the folder in OUT: `reach.csv`, the
evaluations of F that each run on a bank needed until its best was within the interval of the
optimum; `cuts.csv`, who was ahead on guided images; `rewards.png`, the best F so far and the
held-out CLIP score; and, where OUT is not given, `narrow.csv`, what the bank of each prompt says of
the default, of random points, of the best single lam and of the optimum.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.report.hues import hue_of
from benchmark.report.look import subplots
from benchmark.report.stats import Estimate, estimate
from benchmark.store.store import Store
from benchmark.store.stored import Stored
from speed.cuts import cuts
from speed.modes import optimum
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.importance import softmax
from tasks.reward_ft.mixed_task import MixedImportance
from tasks.reward_ft.mixture import Mixed, MixedBank, trusted

FOLDER = Path("results/reward_ft/rewards")
NAMES = (
    "quality",
    "bright",
    "other_ink",
    "random_head",
    "other_ground",
    "other_digit",
    "smooth",
    "warm",
    "head_2",
    "head_3",
    "head_4",
    "vivid",
    "contrast",
    "sharp",
    "cool",
    "dark",
)
SIZES = (1, 2, 4, 8, 16)
LOWERS = ("importance", "guided")
METHODS = ("bilevel", "cmaes", "default", "gp", "random")
# of narrow.csv: images of a bank, a half of which an optimum is fitted to, and random points
_BANK, _POINTS = 1024, 2000
# of the search for an optimum: random points, and descents from the best of them
_TRIED, _STARTS = 500, 3

Values = NDArray[np.float64]


def _task(rewards: tuple[str, ...], seed: int, prompt: str, bank: int) -> MixedImportance:
    found = RewardFt(rewards=",".join(rewards), bank=bank).open(seed, prompt, "importance", "cpu")
    assert isinstance(found, MixedImportance)
    return found


def _on(bank: MixedBank) -> Mixed:
    """The state that a search on this bank starts from."""
    return Mixed(bank, softmax(np.zeros(len(bank.r1))), np.zeros(bank.r.shape[1]), 1.0)


def _promise(bank: MixedBank, s: Values) -> float:
    """The CLIP score at these strengths, or at the share of them that the bank is trusted with."""
    used = s * trusted(bank, s, bank.least_ess(RewardFt().ess_per_reward))
    return 100 * float(softmax(bank.r @ used) @ bank.r1)


def _error(bank: MixedBank, s: Values) -> float:
    """The standard error of that score, as of a self-normalised mean (Owen 2013, eq. 9.9)."""
    w = softmax(bank.r @ s)
    return 100 * float(np.sqrt(w**2 @ (bank.r1 - w @ bank.r1) ** 2))


def best(task: MixedImportance, bank: MixedBank) -> Values:
    """The best strengths on a bank that are known, (K,): F has several valleys.

    Descents from the default and from the best of some random points.
    """
    rng = np.random.default_rng(1)
    cube = rng.random((_TRIED, task.space.dim))
    values = np.array([_promise(bank, task.strengths(u)) for u in cube])
    starts = [None, *cube[np.argsort(-values)[:_STARTS]]]
    ends = [optimum(task, _on(bank), start) for start in starts]
    return max(ends, key=lambda s: _promise(bank, s))


def narrow(prompt: str) -> Iterator[dict[str, Any]]:
    """A row for each number of rewards: how much there is to win, and how few points win it."""
    task = _task(NAMES, 0, prompt, _BANK)
    whole = task.init(0).bank
    half = _BANK // 2
    rng = np.random.default_rng(0)
    for size in SIZES:
        own = _task(NAMES[:size], 0, prompt, _BANK)
        fitted = MixedBank(whole.r1[:half], whole.r[:half, :size])
        other = MixedBank(whole.r1[half:], whole.r[half:, :size])
        cube = rng.random((_POINTS, size))
        random = np.array([_promise(other, own.strengths(u)) for u in cube])
        # one reward at a time, the others as weak as their axes allow
        single = [np.where(np.arange(size) == k, u, 1.0) for k in range(size) for u in GRID]
        top = best(own, fitted)
        yield {
            "prompt": prompt,
            "rewards": size,
            "default": _promise(other, own.strengths(own.space.default())),
            "random_10": np.quantile(random, 0.1),
            "random_50": np.quantile(random, 0.5),
            "random_90": np.quantile(random, 0.9),
            "best_of_20": random.reshape(-1, 20).max(1).mean(),
            "best_single": max(_promise(other, own.strengths(u)) for u in single),
            "optimum_fitted": _promise(fitted, top),
            "optimum": _promise(other, top),
        }


GRID = np.linspace(0, 1, 41)


def optima(
    seeds: set[int], prompt: str, sizes: Iterable[int]
) -> dict[tuple[int, int], tuple[float, float]]:
    """By number of rewards and seed: the best score on the run's own bank, and its 95 % half."""
    found = {}
    for seed in sorted(seeds):
        bank = _task(NAMES, seed, prompt, RewardFt().bank).init(0).bank
        for size in sizes:
            own = MixedBank(bank.r1, bank.r[:, :size])
            s = best(_task(NAMES[:size], seed, prompt, RewardFt().bank), own)
            found[size, seed] = _promise(own, s), 1.96 * _error(own, s)
    return found


def number(run: Stored) -> int:
    return len(run.run["spec"]["task_options"]["rewards"].split(","))


def curve(run: Stored) -> Values:
    """The best CLIP score so far by F, after each evaluation of F, (n, 2) with what it took.

    On the bank the first column counts evaluations of F, on guided images those of the network.
    """
    spec = run.run["spec"]
    taken = [k + 1 if spec["lower"] == "importance" else t["nfe"] for k, t in enumerate(run.trials)]
    best = np.maximum.accumulate([-100 * float(t["loss"]) for t in run.trials])
    return np.stack([np.array(taken, float), best], 1)


def guided(runs: list[Stored]) -> list[tuple[int, str, int, Values]]:
    """What `cuts` compares, of the runs on guided images."""
    own = [(r, s) for r in runs if (s := r.run["spec"])["lower"] == "guided"]
    return [(number(r), s["method"], int(s["seed"]), curve(r)) for r, s in own]


def reach(runs: list[Stored]) -> pd.DataFrame:
    """A row a run: what it took until its best was within the interval of the optimum."""
    seeds = {int(r.run["spec"]["seed"]) for r in runs}
    (prompt,) = {str(r.run["spec"]["prompt"]) for r in runs}
    known, rows = optima(seeds, prompt, sorted({number(r) for r in runs})), []
    # what a run found on the same bank is known too
    for run in runs:
        key = (number(run), int(run.run["spec"]["seed"]))
        if run.run["spec"]["lower"] == "importance":
            known[key] = max(known[key][0], curve(run)[-1, 1]), known[key][1]
    for run in runs:
        spec = run.run["spec"]
        top, half = known[number(run), spec["seed"]]
        path = curve(run)
        # on guided images F is of a few images, and the highest of many such is beyond any optimum
        there = path[path[:, 1] >= top - half] if spec["lower"] == "importance" else path[:0]
        rows.append(
            {
                "rewards": number(run),
                "lower": spec["lower"],
                "method": spec["method"],
                "seed": spec["seed"],
                "evaluations": len(path),
                "spent": path[-1, 0],
                "reached_after": there[0, 0] if len(there) else np.nan,
                "best_f": path[-1, 1],
                "optimum": top,
                "half_width": half,
                "clip": run.tests[-1]["metrics"]["clip"],
            }
        )
    order = ["lower", "rewards", "method", "seed"]
    return pd.DataFrame(rows).sort_values(order, ignore_index=True)


def _mean(part: pd.DataFrame, name: str) -> Estimate:
    values = zip(part["seed"], part[name], strict=True)
    return estimate({(int(seed), ""): float(v) for seed, v in values})


def _so_far(paths: list[Values], x: Values) -> Values:
    """The mean over runs at x, (n,); nan before each of them has an evaluation."""
    each = []
    for path in paths:
        at = np.searchsorted(path[:, 0], x, side="right") - 1
        each.append(np.where(at >= 0, path[at, 1], np.nan))
    return np.asarray(np.mean(each, 0))


def draw(runs: list[Stored], rows: pd.DataFrame, path: Path) -> None:
    """Best F so far for each number of rewards, and the held-out score over that number."""
    sizes = [int(size) for size in sorted(rows["rewards"].unique())]
    columns = len(sizes) + 1
    figure, panels = subplots(2, columns, figsize=(3 * columns, 6.4), sharey="row")
    paths: dict[tuple[str, int, str], list[Values]] = defaultdict(list)
    for run in runs:
        spec = run.run["spec"]
        paths[spec["lower"], number(run), spec["method"]].append(curve(run))
    for line, lower in enumerate(LOWERS):
        for column, size in enumerate(sizes):
            panel = panels[line][column]
            own = rows[(rows["lower"] == lower) & (rows["rewards"] == size)]
            top, half = own["optimum"].mean(), own["half_width"].mean()
            panel.axhspan(top - half, top + half, color="black", alpha=0.1, lw=0)
            panel.axhline(top, color="black", lw=0.8, ls=":")
            for method in METHODS:
                if found := paths.get((lower, size, method)):
                    x = np.unique(np.concatenate([p[:, 0] for p in found]))
                    y = _so_far(found, x)
                    style = {"marker": "D"} if len(x) == 1 else {"drawstyle": "steps-post"}
                    panel.plot(x, y, color=hue_of(method)[0], label=method, **style)
            panel.set_title(f"{lower}, {size} reward{'s' * (size > 1)}", fontsize=10)
            panel.set_xlabel("evaluations of F" if line == 0 else "network evaluations")
        _held_out(panels[line][-1], rows[rows["lower"] == lower])
        panels[line][0].set_ylabel("best CLIP score so far, by F")
        low = rows.loc[rows["lower"] == lower, ["best_f", "clip"]].min().min()
        panels[line][0].set_ylim(bottom=low - 1)
    panels[0][0].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _held_out(panel: Any, rows: pd.DataFrame) -> None:
    for k, method in enumerate(METHODS):
        own = rows[rows["method"] == method]
        if own.empty:
            continue
        found = [(size, _mean(part, "clip")) for size, part in own.groupby("rewards")]
        x = np.arange(len(found)) + 0.1 * (k - 2)
        y = np.array([e.mean for _, e in found])
        bars = np.array([[e.mean - e.low, e.high - e.mean] for _, e in found]).T
        panel.errorbar(x, y, yerr=bars, color=hue_of(method)[0], marker="o", ms=3, lw=1, capsize=2)
    sizes = [int(size) for size in sorted(rows["rewards"].unique())]
    panel.set_xticks(range(len(sizes)), [str(s) for s in sizes])
    panel.set_title("held out, at the end", fontsize=10)
    panel.set_xlabel("rewards")


def main() -> None:
    torch.set_num_threads(1)
    # strengths that are scaled down are part of what is measured
    logging.disable(logging.WARNING)
    out = Path(os.environ.get("OUT", FOLDER))
    out.mkdir(parents=True, exist_ok=True)
    if out == FOLDER:
        table = pd.DataFrame([row for p in shipped.PROMPTS for row in narrow(p)])
        table.to_csv(out / "narrow.csv", index=False, float_format="%.4g")
        print(table.groupby("rewards").mean(numeric_only=True).round(1).to_string())
    runs = [r for r in Store(Path(os.environ.get("RUNS", out / "runs"))) if r.done]
    rows = reach(runs)
    rows.to_csv(out / "reach.csv", index=False, float_format="%.5g")
    cuts(guided(runs)).to_csv(out / "cuts.csv", index=False, float_format="%.4g")
    # with the digits that are stored, so that the picture can be drawn again from them
    rows = pd.read_csv(out / "reach.csv")
    draw(runs, rows, out / "rewards.png")
    for (lower, size, method), part in rows.groupby(["lower", "rewards", "method"]):
        there = part["reached_after"].dropna()
        clip = _mean(part, "clip")
        print(
            f"{lower} {size:2d} {method:8s} reached {len(there)} of {len(part)}"
            f"{f', median {there.median():g}' if len(there) else ''}; "
            f"best F {part['best_f'].mean():.1f} of {part['optimum'].mean():.1f}; "
            f"CLIP {clip.mean:.1f} [{clip.low:.1f}, {clip.high:.1f}]"
        )


if __name__ == "__main__":
    main()
