"""The generator's training: the text encoder and the U-Net of the embedded preset."""

from __future__ import annotations

import copy
from dataclasses import dataclass
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
    """The text encoder and the U-Net together, with an EMA of 0.999."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    vae = AutoencoderKL.from_pretrained(out / "model" / "vae", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(out / "model" / "tokenizer")
    pool = Pool.draw(pool_size, vae, tokenizer)
    scheduler = parts.make_scheduler()
    net = nn.ModuleDict({"unet": parts.make_unet(), "text": parts.make_text_encoder(tokenizer)})
    average: Any = copy.deepcopy(net).requires_grad_(False)
    generator = torch.Generator().manual_seed(5)

    def loss() -> Tensor:
        return noise_prediction(net, pool, scheduler.alphas_cumprod, generator)

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


@dataclass(frozen=True)
class Pool:
    """Latents of training pictures, as their mean and deviation, (N, 4, 8, 8), and their captions.

    ids: tokens (5, N, CONTEXT) without a weight word and with each of the four.  empty: (CONTEXT,).
    """

    mean: Tensor
    std: Tensor
    ids: Tensor
    empty: Tensor

    @classmethod
    def draw(cls, size: int, vae: Any, tokenizer: Any) -> Pool:
        rng = np.random.default_rng(5)
        with torch.no_grad():
            pool = parts.pictures(size, rng, "train", prior=True, seen_only=True)
            moments = [vae.encode(x * 2 - 1).latent_dist for x in torch.split(pool.images, 256)]
            mean = torch.cat([m.mean for m in moments]) * vae.config.scaling_factor
            std = torch.cat([m.std for m in moments]) * vae.config.scaling_factor
        say("unet", pool=len(mean), latent_std=float(mean.std()))

        def tokens(weight: str | None) -> Tensor:
            captions = [str(Caption(c.digit, c.ink, c.ground, weight)) for c in pool.captions]
            return parts.tokenize(tokenizer, captions)

        ids = torch.stack([tokens(weight) for weight in (None, *digits.WEIGHTS)])
        return cls(mean, std, ids, parts.tokenize(tokenizer, [""])[0])


def noise_prediction(
    net: nn.ModuleDict, pool: Pool, abar: Tensor, generator: torch.Generator, size: int = 64
) -> Tensor:
    """The loss of one batch, with min-SNR weights (Hang et al. 2023)."""
    pick = torch.randint(0, len(pool.mean), (size,), generator=generator)
    # one caption in four names a weight, at random: like captions from the web these do not
    # describe it, so the generator learns to ignore the word, and only guidance can bring it about
    word = torch.where(
        torch.rand(size, generator=generator) < 0.25,
        torch.randint(1, 5, (size,), generator=generator),
        0,
    )
    text = pool.ids[word, pick]
    # one in ten is empty, for classifier-free guidance
    text = torch.where(torch.rand(size, 1, generator=generator) < 0.1, pool.empty, text)
    mean = pool.mean[pick]
    x = mean + pool.std[pick] * torch.randn(mean.shape, generator=generator)
    # stratified over time, for less variance
    u = (torch.arange(size) + torch.rand(size, generator=generator)) / size
    t = (u * len(abar)).long()
    a = abar[t][:, None, None, None]
    eps = torch.randn(x.shape, generator=generator)
    guess = net["unet"](a.sqrt() * x + (1 - a).sqrt() * eps, t, net["text"](text)[0]).sample
    snr = abar[t] / (1 - abar[t])
    value: Tensor = ((guess - eps).square().mean((1, 2, 3)) * snr.clamp(max=5) / snr).mean()
    return value


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
