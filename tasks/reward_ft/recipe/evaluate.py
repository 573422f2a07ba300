"""The model card's figures: `python -m tasks.reward_ft.recipe.evaluate [FOLDER]`. Prints Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from tasks.reward_ft import RewardFt, embedded
from tasks.reward_ft.networks import Judge
from tasks.reward_ft.recipe import parts
from tasks.reward_ft.recipe.finish import captions, unguided
from tasks.reward_ft.recipe.train import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=embedded.ASSETS)
    parser.add_argument("--each", type=int, default=16, help="images for each caption")
    args = parser.parse_args()
    judge = load(Judge(), args.folder / "judge.safetensors")
    batch = parts.pictures(5000, np.random.default_rng(99), "test", prior=True)
    choices, _ = embedded.judged(judge, batch.images)  # type: ignore[arg-type]
    truth = torch.stack([batch.labels(kind) for kind in ("digit", "ink", "ground")], 1)
    print("| what | digit right | colours right | all three right | images |\n|---|---:|---:|---:|---:|")
    line(choices == truth, "judge on real pictures of test scans")
    for held_out in (False, True):
        chosen = captions(40, held_out, np.random.default_rng(100))
        right = []
        for caption, images in zip(
            chosen, unguided(args.folder, chosen, args.each, 5 * 10**7, RewardFt()), strict=True
        ):
            found, _ = embedded.judged(judge, images)  # type: ignore[arg-type]
            right.append(found == torch.tensor([caption.digit, caption.ink, caption.ground]))
        line(torch.cat(right), f"unguided samples, 40 captions {'held out of' if held_out else 'seen in'} training")


def line(right: torch.Tensor, what: str) -> None:
    r = right.float()
    print(
        f"| {what} | {r[:, 0].mean():.3f} | {r[:, 1:].prod(1).mean():.3f} | {r.prod(1).mean():.3f} | {len(r)} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
