"""How the upper objective depends on lam, for both lower-level solvers and each mode of guidance.

    python -m tasks.reward_ft.recipe.response OUT

response.csv, response.png: CLIP score over lam with 95 % bootstrap intervals over images within
prompts, and paired differences between the best lam and both ends.
shift.csv: what lam does to r2, as the closed form predicts and as the sampler does, by `tilt`.
samples.png: unguided, well tuned, over-optimised, likewise.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.guided_task import GuidedTask
from tasks.reward_ft.importance import Bank, ess, softmax

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PROMPTS = (
    *shipped.PROMPTS,
    "a bold black zero on a cyan background",
    "a bold orange five on a white background",
    "a bold purple two on a gray background",
)
GUIDED = np.geomspace(0.01, 100, 9)
OVER_OPTIMISED = [float(lam) for lam in GUIDED[[2, 0]]]
DENSE = np.geomspace(0.01, 100, 33)
RESAMPLES = 2000
# the first is the default with one reward
MODES = ("tilt", "direct", "lookahead")
BANK_OF = "bank of "
Table = NDArray[np.float64]


def interval(draws: Table) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def importance_curve(banks: list[Bank], lams: Table, rng: np.random.Generator) -> Table:
    """CLIP score (1 + RESAMPLES, L), mean over prompts: on the banks, then on resampled banks."""
    # no guard here: where the weights collapse, the curve shows what a few samples say
    curves = np.zeros((1 + RESAMPLES, len(lams)))
    for bank in banks:
        n = len(bank.r1)
        for k in range(1 + RESAMPLES):
            pick = np.arange(n) if k == 0 else rng.integers(0, n, n)
            r1, r2 = bank.r1[pick], bank.r2[pick]
            curves[k] += [100 * softmax(r2 / lam) @ r1 / len(banks) for lam in lams]
    return curves


def guided_curve(scores: Table, rng: np.random.Generator) -> Table:
    """CLIP score (1 + RESAMPLES, L) from scores (prompts, images, L)."""
    # the same resample at every lam, since the images share their seeds
    prompts, n, _ = scores.shape
    curves = [scores.mean((0, 1))]
    for _ in range(RESAMPLES):
        curves.append(
            np.mean([scores[p, rng.integers(0, n, n)].mean(0) for p in range(prompts)], axis=0)
        )
    return np.array(curves)


def rows(lower: str, lams: Table, curves: Table, samples: str) -> pd.DataFrame:
    """One row a lam: the curve with its interval, and how much the best lam is above this one."""
    best = int(np.argmax(curves[0]))
    table = []
    for k, lam in enumerate(lams):
        low, high = interval(curves[1:, k])
        gap_low, gap_high = interval(curves[1:, best] - curves[1:, k])
        table.append(
            {
                "lower": lower,
                "lam": lam,
                "clip": curves[0, k],
                "clip_ci_low": low,
                "clip_ci_high": high,
                "best_minus_this": curves[0, best] - curves[0, k],
                "gap_ci_low": gap_low,
                "gap_ci_high": gap_high,
                "samples": samples,
            }
        )
    return pd.DataFrame(table)


def collapse_of(shift: pd.DataFrame, bank: int) -> float:
    """The lam below which the weights of a bank of that size have collapsed, on the log scale."""
    least = Bank(np.zeros(bank), np.zeros(bank)).least_ess
    sizes = np.maximum.accumulate(np.log(shift["ess_of_bank"]))
    return float(np.exp(np.interp(np.log(least), sizes, np.log(shift["lam"]))))


def picture(folder: Path) -> None:
    """response.png of response.csv and shift.csv beside it."""
    table = pd.read_csv(folder / "response.csv")
    said = table.loc[table["lower"] == "importance", "samples"].iloc[0]
    bank = int(said.removeprefix(BANK_OF).split(maxsplit=1)[0])
    collapse = collapse_of(pd.read_csv(folder / "shift.csv"), bank)
    figure, axes = plt.subplots(figsize=(7, 4))
    for lower, part in table.groupby("lower"):
        axes.plot(part["lam"], part["clip"], marker="o", ms=3.5, label=str(lower))
        axes.fill_between(part["lam"], part["clip_ci_low"], part["clip_ci_high"], alpha=0.2, lw=0)
    axes.axvspan(DENSE[0], collapse, color="0.9", lw=0, label="importance weights collapsed")
    axes.set(xscale="log", xlabel="lam", ylabel="CLIP score (r1), 95 % interval", ylim=(60, None))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(folder / "response.png", dpi=150, bbox_inches="tight")
    plt.close(figure)


def gallery(plain: list[Table], strips: dict[float, list[Table]], best: float, path: Path) -> None:
    """Rows of pictures, see `Samples`; the same image seeds in each column."""
    prompts = len(shipped.PROMPTS)
    shown = {"unguided": plain, f"lam = {best:.3g}\n(well tuned)": strips[best]}
    for lam in OVER_OPTIMISED:
        shown[f"lam = {lam:.3g}\n(over-optimised)"] = strips[lam]
    figure, grid = plt.subplots(
        len(shown), prompts, figsize=(11.5, 0.85 * len(shown) + 0.3), squeeze=False
    )
    for i, (label, row) in enumerate(shown.items()):
        for j in range(prompts):
            grid[i][j].imshow(row[j], interpolation="lanczos")
            grid[i][j].axis("off")
            if i == 0:
                grid[i][j].set_title(f"“{shipped.PROMPTS[j]}”", fontsize=9)
        grid[i][0].text(
            -0.03, 0.5, label, transform=grid[i][0].transAxes, ha="right", va="center", fontsize=9
        )
    figure.subplots_adjust(wspace=0.03, hspace=0.05)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


@dataclass(frozen=True)
class Samples:
    """All that is sampled, by prompt. scores: by mode, (prompts, images, L) of guided images.

    r2: likewise, by the first mode.  plain, strips: the first eight images side by side, unguided
    and by lam, by the first mode.
    """

    banks: list[Bank]
    scores: dict[str, Table]
    r2: Table
    plain: list[Table]
    strips: dict[float, list[Table]]

    @classmethod
    def draw(cls, images: int, bank: int) -> Samples:
        shape = (len(PROMPTS), images, len(GUIDED))
        scores = {mode: np.zeros(shape) for mode in MODES}
        samples = cls([], scores, np.zeros(shape), [], {float(lam): [] for lam in GUIDED})
        for p, prompt in enumerate(PROMPTS):
            tasks = {mode: opened(prompt, images, mode) for mode in MODES}
            task = tasks[MODES[0]]
            unguided = task.sampler(task.seeds("bank", bank)).images
            samples.banks.append(Bank(task.r1(unguided), task.r2(unguided)))
            samples.plain.append(strip(task.sampler(task.seeds("test", images)).images))
            for k, lam in enumerate(GUIDED):
                for mode, own in tasks.items():
                    guided = own.sample_test(float(lam)).images
                    scores[mode][p, :, k] = 100 * own.r1(guided)
                    if own is task:
                        samples.r2[p, :, k] = own.r2(guided)
                        samples.strips[float(lam)].append(strip(guided))
            print(f"{p + 1} of {len(PROMPTS)} prompts", flush=True)
        return samples


def opened(prompt: str, images: int, mode: str) -> GuidedTask:
    task = RewardFt(test_images=images, mode=mode).open(0, prompt, "guided", "cpu")
    assert isinstance(task, GuidedTask)
    return task


def strip(images: Tensor) -> Table:
    """The first eight images side by side, (H, 8 W, 3)."""
    return np.concatenate([x.permute(1, 2, 0).numpy() for x in images[:8]], axis=1)


def write_response(samples: Samples, path: Path) -> pd.DataFrame:
    """Returns the rows of the guided solver's first mode."""
    rng, banks = np.random.default_rng(2026), samples.banks
    prompts, images, _ = samples.r2.shape
    paired = f"{images} images x {prompts} prompts, paired"
    first, *others = (
        rows(f"guided, {mode}", GUIDED, guided_curve(scores, rng), paired)
        for mode, scores in samples.scores.items()
    )
    of_banks = f"{BANK_OF}{len(banks[0].r1)} x {prompts} prompts"
    importance = rows("importance", DENSE, importance_curve(banks, DENSE, rng), of_banks)
    table = pd.concat([importance, first, *others])
    table.to_csv(path, index=False, float_format="%.4g")
    return first


def write_shift(samples: Samples, path: Path) -> None:
    banks = samples.banks
    base = np.mean([b.r2.mean() for b in banks])
    predicted = [np.mean([softmax(b.r2 / lam) @ b.r2 for b in banks]) - base for lam in GUIDED]
    pd.DataFrame(
        {
            "lam": GUIDED,
            "predicted_shift_of_r2": predicted,
            "observed_shift_of_r2": samples.r2.mean((0, 1)) - base,
            "ess_of_bank": [effective(banks, lam) for lam in GUIDED],
        }
    ).to_csv(path, index=False, float_format="%.4g")


def effective(banks: list[Bank], lam: float) -> float:
    """The mean effective sample size of the banks."""
    return float(np.mean([ess(softmax(b.r2 / lam)) for b in banks]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--images", type=int, default=80, help="guided images for each prompt and lam"
    )
    parser.add_argument("--bank", type=int, default=1024, help="unguided samples for each prompt")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples = Samples.draw(args.images, args.bank)
    guided = write_response(samples, args.out / "response.csv")
    write_shift(samples, args.out / "shift.csv")
    # with the digits that are stored, so that the picture can be drawn again from them
    picture(args.out)
    best = float(guided["lam"].iloc[int(guided["clip"].argmax())])
    gallery(samples.plain, samples.strips, best, args.out / "samples.png")


if __name__ == "__main__":
    main()
