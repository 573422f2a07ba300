"""Where guidance leaves the closed form: `tilt`, `lookahead` and `direct` against the bank.

    python -m speed modes

Writes results/reward_ft/modes/. One reward (quality) over lam, and 8 and 16 that conflict over a
multiple of their optimum on the bank; for each prompt of the embedded preset. The bank promises a
CLIP score and a shift of the reward; each mode gives its own, and its path KL. `held` is the same
mode with each image's path KL bounded by the default of reward_ft.most_kl.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch

from benchmark.space import Lam, Space
from methods.bilevel import Bilevel
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.importance import ess, kl, softmax
from tasks.reward_ft.mixed_task import MixedGuided, MixedImportance

matplotlib.use("Agg")
from matplotlib import pyplot as plt

MODES = {"tilt": 2, "lookahead": 2, "direct": 1}  # with so many guided passes
_COLOURS = {"tilt": "tab:blue", "lookahead": "tab:orange", "direct": "tab:green"}
STRENGTHS = (0.1, 0.3, 1.0, 2.0, 4.0)
SHARES = (0.15, 0.3, 0.5, 0.75, 1.0, 2.0, 3.0)
HELD = " held"
CONFLICT = "quality,random_head,other_ink,other_ground,other_digit,bright,smooth,warm"
MANY = CONFLICT + ",head_2,head_3,head_4,vivid,contrast,sharp,cool,dark"
BANK, IMAGES = 1024, 24
FOLDER = Path("results/reward_ft/modes")


class _From(Space):
    """A space whose default is another point. `at`: that point."""

    at: Lam

    def default(self) -> Lam:
        return self.at


def optimum(
    task: MixedImportance, state: Any, start: Lam | None = None
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The strengths that a descent on the bank ends at, (K,). start: a point, or the default."""
    descent = Bilevel(gamma=float("inf"), iterations=150, control="loss")

    class Drawn:
        """The task whose bank is drawn already."""

        def __getattr__(self, name: str) -> Any:
            return getattr(task, name)

        @property
        def space(self) -> Space:
            found = _From(task.space.axes)
            object.__setattr__(found, "at", task.space.default() if start is None else start)
            return found

        def init(self, seed: int) -> Any:
            return state

    *_, last = descent(Drawn(), np.random.default_rng(0))
    return np.asarray(last.state.s)


def rows_of(prompt: str, rewards: str, images: int) -> Iterator[dict[str, Any]]:
    """A row for each strength and mode."""
    options: dict[str, Any] = {"rewards": rewards, "bank": BANK, "mode": "direct"}
    bank_task = RewardFt(**options).open(0, prompt, "importance", "cpu")
    assert isinstance(bank_task, MixedImportance)
    state = bank_task.init(0)
    bank = state.bank
    one = bank.r.shape[1] == 1
    best = np.ones(1) if one else optimum(bank_task, state)
    bounds = {"": 0.0} if one else {"": 0.0, HELD: RewardFt().most_kl}
    tasks = {
        mode + held: RewardFt(**{**options, "mode": mode, "most_kl": most}).open(
            0, prompt, "guided", "cpu"
        )
        for mode in ("tilt", "direct")
        for held, most in bounds.items()
    }
    tilt = tasks["tilt"]
    assert isinstance(tilt, MixedGuided)
    seeds = tilt.seeds("modes", images)
    first = tilt.sampler(seeds)
    unguided = tilt.all_rewards(first.images).mean(0)
    for share in STRENGTHS if one else SHARES:
        s = share * best
        w = softmax(bank.r @ s)
        known = {
            "prompt": prompt,
            "rewards": bank.r.shape[1],
            "strength": float(np.linalg.norm(s)),
            "bank_clip": 100 * float(w @ bank.r1),
            "bank_shift": float((w @ bank.r - bank.r.mean(0)) @ s / np.linalg.norm(s)),
            "bank_kl": kl(w),
            "bank_ess": ess(w),
        }
        for mode, task in tasks.items():
            assert isinstance(task, MixedGuided)
            sampled = first
            for _ in range(MODES[mode.removesuffix(HELD)]):
                sampled = task.guided(seeds, sampled, task.mixture(s), 1.0)
            moved = task.all_rewards(sampled.images).mean(0) - unguided
            yield {
                **known,
                "mode": mode,
                "clip": 100 * float(task.r1(sampled.images).mean()),
                "shift": float(moved @ s / np.linalg.norm(s)),
                "path_kl": float(sampled.kl.mean()),
            }
        if one:
            yield {
                **known,
                "mode": "lookahead",
                **_lookahead(prompt, share, seeds, first, unguided),
            }


def _lookahead(
    prompt: str, strength: float, seeds: tuple[int, ...], first: Any, unguided: Any
) -> dict[str, float]:
    """The paper's loss, for one reward."""
    task = RewardFt(mode="lookahead").open(0, prompt, "guided", "cpu")
    sampled = first
    for _ in range(MODES["lookahead"]):
        sampled = task.guided(seeds, sampled, task._networks.r2, 1 / strength)  # type: ignore[attr-defined]
    moved = task.r2(sampled.images).mean() - unguided[0]  # type: ignore[attr-defined]
    clip = 100 * float(task.r1(sampled.images).mean())  # type: ignore[attr-defined]
    return {"clip": clip, "shift": float(moved), "path_kl": float(sampled.kl.mean())}


def draw(rows: pd.DataFrame, path: Path) -> None:
    """A column for each number of rewards: CLIP score and shift, the bank's in black."""
    figure, panels = plt.subplots(2, 3, figsize=(12, 6), sharex="col")
    for column, (k, part) in enumerate(rows.groupby("rewards")):
        for line, (name, label) in enumerate(
            (("clip", "CLIP score"), ("shift", "shift of reward"))
        ):
            panel = panels[line][column]
            known = part.groupby("strength" if k == 1 else "step")
            x = known["strength"].mean()
            panel.plot(x, known[f"bank_{name}"].mean(), color="black", marker="s", label="bank")
            for mode, own in part.groupby("mode"):
                by = own.groupby("strength" if k == 1 else "step")
                panel.plot(
                    by["strength"].mean(),
                    by[name].mean(),
                    marker="o",
                    label=mode,
                    color=_COLOURS[str(mode).removesuffix(HELD)],
                    linestyle="--" if HELD in str(mode) else "-",
                )
            panel.set_ylabel(label)
            panel.grid(alpha=0.25)
        panels[0][column].set_title("one reward" if k == 1 else f"{k} rewards that conflict")
        panels[1][column].set_xlabel("norm of the strengths 1/lam")
    known = {n: h for p in panels[0] for h, n in zip(*p.get_legend_handles_labels(), strict=True)}
    panels[0][1].legend(known.values(), known.keys(), frameon=False, loc="lower left")
    figure.suptitle("Mean over the three prompts of the embedded preset")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    torch.set_num_threads(1)
    # strengths that are scaled down are what is looked for here
    logging.disable(logging.WARNING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for prompt in shipped.PROMPTS:
        for rewards in ("quality", CONFLICT, MANY):
            found = list(rows_of(prompt, rewards, IMAGES))
            order = {s: k for k, s in enumerate(sorted({row["strength"] for row in found}))}
            rows += [{**row, "step": order[row["strength"]]} for row in found]
            pd.DataFrame(rows).to_csv(FOLDER / "modes.csv", index=False, float_format="%.6g")
            print(f"{prompt}: {len(rows)} rows", flush=True)
    # with the digits that are stored, so that the picture can be drawn again from them
    draw(pd.read_csv(FOLDER / "modes.csv"), FOLDER / "modes.png")


if __name__ == "__main__":
    main()
