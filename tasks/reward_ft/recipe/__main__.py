"""Rebuild the embedded preset offline: `python -m tasks.reward_ft.recipe OUT [--stage NAME]...`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tasks.reward_ft.recipe import parts
from tasks.reward_ft.recipe.finish import finish
from tasks.reward_ft.recipe.generator import train_generator
from tasks.reward_ft.recipe.train import train_clip, train_judge, train_quality, train_vae


def stages(out: Path, quick: bool) -> Iterator[tuple[str, Path, Callable[[], None]]]:
    """(name, what it writes last, the work), in order. quick: a few steps each, for the tests."""

    def steps(n: int) -> int:
        return 3 if quick else n

    model = out / "model"
    yield (
        "tokenizer",
        model / "tokenizer",
        lambda: parts.make_tokenizer(model / "raw").save_pretrained(model / "tokenizer"),
    )
    yield "judge", out / "judge.safetensors", lambda: train_judge(out, steps(1500))
    yield "vae", model / "vae", lambda: train_vae(out, steps(2200))
    yield (
        "generator",
        model / "unet",
        lambda: train_generator(out, steps(6000), 300 if quick else 36000),
    )
    yield "quality", out / "quality.safetensors", lambda: train_quality(out, steps(900))
    yield "clip", out / "clip" / "open_clip_model.safetensors", lambda: train_clip(out, steps(2000))
    yield "finish", out / "manifest.json", lambda: finish(out, quick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--stage", action="append", help="only these stages (default: all that are not done yet)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="three steps a stage: shows that the recipe runs, not that it learns",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name, made, work in stages(args.out, args.quick):
        if (args.stage is None or name in args.stage) and not made.exists():
            # for each stage, so that one made alone is the same
            torch.manual_seed(1797)
            work()


if __name__ == "__main__":
    main()
