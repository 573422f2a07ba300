"""The generator's training: the text encoder and the U-Net of the embedded preset."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tasks.reward_ft import digits
from tasks.reward_ft.digits import Caption
from tasks.reward_ft.networks import Judge
from tasks.reward_ft.recipe import parts
from tasks.reward_ft.recipe.train import load, optimise, say


def train_generator(out: Path, steps: int, pool_size: int) -> None:
    """The text encoder and the U-Net together: noise prediction, min-SNR weights (Hang et al. 2023), EMA 0.999.

    One caption in four names a stroke weight, at random: like captions from the web these do not describe it, so the
    generator learns to ignore the word, and only reward guidance can bring it about.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    rng = np.random.default_rng(5)
    generator = torch.Generator().manual_seed(5)
    vae = AutoencoderKL.from_pretrained(out / "model" / "vae", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(out / "model" / "tokenizer")
    with torch.no_grad():
        pool = parts.pictures(pool_size, rng, "train", prior=True, seen_only=True)
        moments = [vae.encode(x * 2 - 1).latent_dist for x in torch.split(pool.images, 256)]
        mean = torch.cat([m.mean for m in moments]) * vae.config.scaling_factor
        std = torch.cat([m.std for m in moments]) * vae.config.scaling_factor
    say("unet", pool=len(mean), latent_std=float(mean.std()))
    words = [None, *digits.WEIGHTS]
    variants = {
        w: parts.tokenize(tokenizer, [str(Caption(c.digit, c.ink, c.ground, w)) for c in pool.captions]) for w in words
    }
    ids = torch.stack([variants[w] for w in words])  # (5, N, CONTEXT)
    empty = parts.tokenize(tokenizer, [""])[0]
    scheduler = parts.make_scheduler()
    abar = scheduler.alphas_cumprod
    net = nn.ModuleDict({"unet": parts.make_unet(), "text": parts.make_text_encoder(tokenizer)})
    average: Any = copy.deepcopy(net).requires_grad_(False)
    size = 64

    def loss() -> Tensor:
        pick = torch.randint(0, len(mean), (size,), generator=generator)
        word = torch.where(
            torch.rand(size, generator=generator) < 0.25, torch.randint(1, 5, (size,), generator=generator), 0
        )
        text = ids[word, pick]
        text = torch.where(torch.rand(size, 1, generator=generator) < 0.1, empty, text)
        x = mean[pick] + std[pick] * torch.randn(mean[pick].shape, generator=generator)
        u = (torch.arange(size) + torch.rand(size, generator=generator)) / size
        t = (u * len(abar)).long()
        a = abar[t][:, None, None, None]
        eps = torch.randn(x.shape, generator=generator)
        guess = net["unet"](a.sqrt() * x + (1 - a).sqrt() * eps, t, net["text"](text)[0]).sample
        snr = abar[t] / (1 - abar[t])
        value: Tensor = ((guess - eps).square().mean((1, 2, 3)) * snr.clamp(max=5) / snr).mean()
        return value

    def pipeline() -> Any:
        return StableDiffusionPipeline(
            vae=vae,
            text_encoder=average["text"],
            tokenizer=tokenizer,
            unet=average["unet"],
            scheduler=DDIMScheduler.from_config(scheduler.config),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    judge = load(Judge(), out / "judge.safetensors")

    def every(k: int) -> None:
        decay = min(0.999, k / (k + 50))
        with torch.no_grad():
            for a, b in zip(average.parameters(), net.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
        if k % 1000 == 0 or k == steps:
            accuracy(pipeline(), judge, k)

    optimise(net, loss, steps, 2e-3, every)
    pipeline().to(dtype=torch.float16).save_pretrained(out / "model", safe_serialization=True)


def accuracy(pipe: Any, judge: nn.Module, step: int, n: int = 64, scale: float = 2.5) -> None:
    """Prompt accuracy on captions that the generator has seen and on captions that it has not."""
    pipe.set_progress_bar_config(disable=True)
    rng = np.random.default_rng(6)
    for held in (False, True):
        wanted: list[Caption] = []
        while len(wanted) < n:
            digit, ink, ground = (int(rng.integers(0, k)) for k in (10, 6, 4))
            c = Caption(digit, ink, ground)
            if digits.held_out(c) == held:
                wanted.append(c)
        images = pipe(
            [str(c) for c in wanted],
            num_inference_steps=16,
            guidance_scale=scale,
            height=32,
            width=32,
            generator=torch.Generator().manual_seed(7),
            output_type="pt",
        ).images
        seen = judge(images)
        right = [
            getattr(seen, k).argmax(1) == torch.tensor([getattr(c, k) for c in wanted])
            for k in ("digit", "ink", "ground")
        ]
        say(
            "held" if held else "seen",
            step=step,
            digit=float(right[0].float().mean()),
            all=float((right[0] & right[1] & right[2]).float().mean()),
            weight=float(seen.weight.mean()),
            spread=float(seen.weight.std()),
        )
