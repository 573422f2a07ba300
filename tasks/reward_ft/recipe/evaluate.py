"""The model card's figures, as Markdown: `python -m tasks.reward_ft.recipe.evaluate [FOLDER]`."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch

from tasks.reward_ft import RewardFt, embedded, shipped
from tasks.reward_ft.networks import Judge
from tasks.reward_ft.recipe import parts
from tasks.reward_ft.recipe.finish import captions, unguided
from tasks.reward_ft.recipe.train import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=shipped.ASSETS)
    parser.add_argument("--each", type=int, default=16, help="images for each caption")
    parser.add_argument("--sweep", action="store_true", help="also try other steps, eta and cfg")
    args = parser.parse_args()
    judge = load(Judge(), args.folder / "judge.safetensors")
    batch = parts.pictures(5000, np.random.default_rng(99), "test", prior=True)
    choices, _ = embedded.judged(judge, batch.images)  # type: ignore[arg-type]
    truth = torch.stack([batch.labels(kind) for kind in ("digit", "ink", "ground")], 1)
    print(
        "| what | digit right | colours right | all three right | images "
        "|\n|---|---:|---:|---:|---:|"
    )
    line(choices == truth, "judge on real pictures of test scans")
    for held_out in (False, True):
        chosen = captions(40, held_out, np.random.default_rng(100))
        right = []
        for caption, images in zip(
            chosen, unguided(args.folder, chosen, args.each, 5 * 10**7, RewardFt()), strict=True
        ):
            found, _ = embedded.judged(judge, images)  # type: ignore[arg-type]
            right.append(found == torch.tensor([caption.digit, caption.ink, caption.ground]))
        line(
            torch.cat(right),
            f"unguided samples, 40 captions {'held out of' if held_out else 'seen in'} training",
        )
    if args.sweep:
        sweep(args.folder, judge, args.each)


def sweep(folder: Path, judge: torch.nn.Module, each: int) -> None:
    """Accuracy and the width of p_data by the sampler's settings, on ten held-out captions."""
    print(
        "| steps | eta | cfg | all three right | deviation of the stroke weight "
        "|\n|---:|---:|---:|---:|---:|"
    )
    chosen = captions(10, True, np.random.default_rng(0))
    for steps, eta, cfg in itertools.product((12, 16, 20), (0.0, 1.0), (1.5, 2.5)):
        right, spread = [], []
        for caption, images in zip(
            chosen,
            unguided(folder, chosen, each, 0, RewardFt(steps=steps, eta=eta, cfg=cfg)),
            strict=True,
        ):
            found, _ = embedded.judged(judge, images)  # type: ignore[arg-type]
            right.append(
                (found == torch.tensor([caption.digit, caption.ink, caption.ground])).all(1).float()
            )
            spread.append(judge(images).weight.std())
        print(
            f"| {steps} | {eta:g} | {cfg:g} | {torch.cat(right).mean():.3f} | "
            f"{torch.stack(spread).mean():.3f} |",
            flush=True,
        )


def line(right: torch.Tensor, what: str) -> None:
    r = right.float()
    print(
        f"| {what} | {r[:, 0].mean():.3f} | {r[:, 1:].prod(1).mean():.3f} | "
        f"{r.prod(1).mean():.3f} | {len(r)} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
