"""How the upper objective answers to lam, for both lower-level solvers: `python -m tasks.reward_ft.recipe.response OUT`.

Writes response.csv and response.png (CLIP score over lam with 95 % bootstrap intervals over images within prompts, and
the paired differences between the best lam and both ends), shift.csv (what lam does to r2, as the closed form predicts
and as the sampler does) and samples.png (unguided, well tuned, over-optimised).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.reward_ft import RewardFt, embedded
from tasks.reward_ft.importance import Bank, ess, softmax
from tasks.reward_ft.task import GuidedTask

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PROMPTS = (
    *embedded.PROMPTS,
    "a bold black zero on a cyan background",
    "a bold orange five on a white background",
    "a bold purple two on a gray background",
)
GUIDED = np.geomspace(0.01, 100, 9)
DENSE = np.geomspace(0.01, 100, 33)
RESAMPLES = 2000
Table = NDArray[np.float64]


def interval(draws: Table) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def importance_curve(banks: list[Bank], lams: Table, rng: np.random.Generator) -> Table:
    """CLIP score (1 + RESAMPLES, L) averaged over prompts: on the banks as they are, then on resampled banks.

    No guard here: below the lam at which the weights collapse the curve is what one sample in a few says.
    """
    curves = np.zeros((1 + RESAMPLES, len(lams)))
    for bank in banks:
        n = len(bank.r1)
        for k in range(1 + RESAMPLES):
            pick = np.arange(n) if k == 0 else rng.integers(0, n, n)
            r1, r2 = bank.r1[pick], bank.r2[pick]
            curves[k] += [100 * softmax(r2 / lam) @ r1 / len(banks) for lam in lams]
    return curves


def guided_curve(scores: Table, rng: np.random.Generator) -> Table:
    """CLIP score (1 + RESAMPLES, L) from scores (prompts, images, L); the same images at every lam."""
    prompts, n, _ = scores.shape
    curves = [scores.mean((0, 1))]
    for _ in range(RESAMPLES):
        curves.append(np.mean([scores[p, rng.integers(0, n, n)].mean(0) for p in range(prompts)], axis=0))
    return np.array(curves)


def rows(lower: str, lams: Table, curves: Table, samples: str) -> pd.DataFrame:
    """One row a lam: the curve with its interval, and the paired difference of the best lam to this one."""
    best = int(np.argmax(curves[0]))
    table = []
    for k, lam in enumerate(lams):
        low, high = interval(curves[1:, k])
        gap_low, gap_high = interval(curves[1:, best] - curves[1:, k])
        table.append(
            {"lower": lower, "lam": lam, "clip": curves[0, k], "clip_ci_low": low, "clip_ci_high": high,
             "best_minus_this": curves[0, best] - curves[0, k], "gap_ci_low": gap_low, "gap_ci_high": gap_high,
             "samples": samples}
        )  # fmt: skip
    return pd.DataFrame(table)


def picture(table: pd.DataFrame, collapse: float, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    for lower, part in table.groupby("lower"):
        axes.plot(part["lam"], part["clip"], marker="o", ms=3.5, label=str(lower))
        axes.fill_between(part["lam"], part["clip_ci_low"], part["clip_ci_high"], alpha=0.2, lw=0)
    axes.axvspan(DENSE[0], collapse, color="0.9", lw=0, label="importance weights collapsed")
    axes.set(xscale="log", xlabel="lam", ylabel="CLIP score (r1), 95 % interval", ylim=(60, None))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def gallery(shown: dict[str, list[Table]], path: Path) -> None:
    """Rows of pictures; the same image seeds in each column."""
    prompts = len(embedded.PROMPTS)
    figure, grid = plt.subplots(len(shown), prompts, figsize=(11.5, 0.85 * len(shown) + 0.3), squeeze=False)
    for i, (label, strips) in enumerate(shown.items()):
        for j in range(prompts):
            grid[i][j].imshow(strips[j], interpolation="lanczos")
            grid[i][j].axis("off")
            if i == 0:
                grid[i][j].set_title(f"“{embedded.PROMPTS[j]}”", fontsize=9)
        grid[i][0].text(-0.03, 0.5, label, transform=grid[i][0].transAxes, ha="right", va="center", fontsize=9)
    figure.subplots_adjust(wspace=0.03, hspace=0.05)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=80, help="guided images for each prompt and lam")
    parser.add_argument("--bank", type=int, default=1024, help="unguided samples for each prompt")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2026)
    banks: list[Bank] = []
    scores, r2 = (np.zeros((len(PROMPTS), args.images, len(GUIDED))) for _ in range(2))
    strips: dict[float, list[Table]] = {}
    plain: list[Table] = []
    for p, prompt in enumerate(PROMPTS):
        task = RewardFt(test_images=args.images).open(0, prompt, "guided", "cpu")
        assert isinstance(task, GuidedTask)
        images = task.sampler(task.seeds("bank", args.bank)).images
        banks.append(Bank(task.r1(images), task.r2(images)))
        first = task.sampler(task.seeds("test", args.images)).images
        plain.append(np.concatenate([x.permute(1, 2, 0).numpy() for x in first[:8]], axis=1))
        for k, lam in enumerate(GUIDED):
            guided = task.sample_test(float(lam)).images
            scores[p, :, k], r2[p, :, k] = 100 * task.r1(guided), task.r2(guided)
            strips.setdefault(float(lam), []).append(
                np.concatenate([x.permute(1, 2, 0).numpy() for x in guided[:8]], axis=1)
            )
        print(f"{p + 1} of {len(PROMPTS)} prompts", flush=True)
    guided_rows = rows(
        "guided", GUIDED, guided_curve(scores, rng), f"{args.images} images x {len(PROMPTS)} prompts, paired"
    )
    table = pd.concat(
        [
            rows(
                "importance",
                DENSE,
                importance_curve(banks, DENSE, rng),
                f"bank of {args.bank} x {len(PROMPTS)} prompts",
            ),
            guided_rows,
        ]
    )
    table.to_csv(args.out / "response.csv", index=False, float_format="%.4g")
    sizes = [np.mean([ess(softmax(b.r2 / lam)) for b in banks]) for lam in DENSE]
    collapse = float(DENSE[int(np.argmax(np.array(sizes) >= banks[0].least_ess))])
    picture(table, collapse, args.out / "response.png")
    base = np.mean([b.r2.mean() for b in banks])
    predicted = [np.mean([softmax(b.r2 / lam) @ b.r2 for b in banks]) - base for lam in GUIDED]
    pd.DataFrame(
        {"lam": GUIDED, "predicted_shift_of_r2": predicted, "observed_shift_of_r2": r2.mean((0, 1)) - base,
         "ess_of_bank": [np.mean([ess(softmax(b.r2 / lam)) for b in banks]) for lam in GUIDED]}
    ).to_csv(args.out / "shift.csv", index=False, float_format="%.4g")  # fmt: skip
    best = float(guided_rows["lam"].iloc[int(guided_rows["clip"].argmax())])
    labels = {"unguided": plain, f"lam = {best:.3g}\n(well tuned)": strips[best]}
    for lam in GUIDED[[2, 0]]:
        labels[f"lam = {lam:.3g}\n(over-optimised)"] = strips[float(lam)]
    gallery(labels, args.out / "samples.png")


if __name__ == "__main__":
    main()
