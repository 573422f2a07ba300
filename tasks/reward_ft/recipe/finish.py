"""The last stage: the rewards' frozen constants, and the list of hashes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.files.shipped import MANIFEST
from tasks.reward_ft import RewardFt, digits
from tasks.reward_ft.digits import Caption
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.networks import Quality
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.recipe.train import load as load_network
from tasks.reward_ft.recipe.train import say
from tasks.reward_ft.scorers import RandomHead
from tasks.reward_ft.steps import Schedule

HEAD_SEED = 11


def captions(n: int, held_out: bool, rng: np.random.Generator) -> list[Caption]:
    """n different random captions without a weight word, which the generator saw or did not."""
    every = [
        c
        for d in range(len(digits.DIGITS))
        for i in range(len(digits.INKS))
        for g in range(len(digits.GROUNDS))
        if digits.held_out(c := Caption(d, i, g)) == held_out
    ]
    return [every[k] for k in rng.permutation(len(every))[:n]]


def unguided(
    folder: Path, chosen: list[Caption], each: int, stream: int, options: RewardFt
) -> Iterator[Tensor]:
    """Unguided samples (each, 3, H, W) of each caption at the preset's own settings."""
    model = load(folder / "model", "cpu")
    schedule = Schedule.of(model.scheduler, options.steps, options.eta, options.sampler)
    for k, caption in enumerate(chosen):
        seeds = tuple(stream + 10_000 * k + i for i in range(each))
        yield Sampler(model, schedule, str(caption), options.cfg)(seeds).images


def finish(out: Path, quick: bool) -> None:
    shutil.rmtree(out / "model" / "raw", ignore_errors=True)
    quality = load_network(Quality(), out / "quality.safetensors")
    body: Any = quality.body
    head = RandomHead(lambda x: body(x * 2 - 1).mean((2, 3)), 64, HEAD_SEED)
    chosen = captions(2 if quick else 12, False, np.random.default_rng(8))
    scale: dict[str, dict[str, float]] = {}
    samples = list(unguided(out, chosen, 8 if quick else 64, 10**6, RewardFt()))
    for name, network in (("quality", quality), ("random_head", head)):
        with torch.no_grad():
            scores = torch.stack([network(x) for x in samples]).double()
        # the deviation within a caption: lam should mean the same for every prompt
        scale[name] = {"mean": float(scores.mean()), "std": float(scores.var(1).mean().sqrt())}
        say("scale", mean=scale[name]["mean"], std=scale[name]["std"])
    scale["random_head"]["seed"] = HEAD_SEED
    (out / "scale.json").write_text(json.dumps(scale, indent=1) + "\n")
    seal(out)


def seal(out: Path) -> None:
    """Write the list of hashes."""
    # diffusers notes where a part was read from; a hash must not depend on it
    for path in out.rglob("config.json"):
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    files = sorted(p for p in out.rglob("*") if p.is_file() and p.name != MANIFEST)
    hashes = {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (out / MANIFEST).write_text(json.dumps(hashes, indent=1) + "\n")
    say("finish", files=len(hashes), megabytes=sum(p.stat().st_size for p in files) / 1e6)
