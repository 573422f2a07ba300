"""A noise prediction as one writes it with diffusers' parts: what the suite's own is timed against.

`pipe` is a StableDiffusionPipeline with a DDIM scheduler, z (N, C, h, w), t a time step of the
scheduler, words the text embeddings of N negative prompts and then N positive ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def pipeline(folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """The pipeline of a model's folder, its weights without gradients."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(
        folder, dtype=dtype, safety_checker=None, feature_extractor=None, local_files_only=True
    ).to(device)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval().requires_grad_(False)
    return pipe


def text(pipe: Any, prompt: str, n: int) -> torch.Tensor:
    """words for n images."""
    with torch.no_grad():
        positive, negative = pipe.encode_prompt(prompt, pipe.device, 1, True)
        return torch.cat([negative, positive]).repeat_interleave(n, 0)


def decoded(pipe: Any, z: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W), about [0, 1]."""
    latent = z / pipe.vae.config.scaling_factor
    images: torch.Tensor = pipe.vae.decode(latent).sample / 2 + 0.5
    return images


def unguided(pipe: Any, z: torch.Tensor, t: Any, words: torch.Tensor, cfg: float) -> torch.Tensor:
    both = pipe.scheduler.scale_model_input(torch.cat([z, z]), t)
    negative, positive = pipe.unet(both, t, encoder_hidden_states=words).sample.chunk(2)
    eps: torch.Tensor = negative + cfg * (positive - negative)
    return eps


def guided(
    pipe: Any,
    z: torch.Tensor,
    t: Any,
    words: torch.Tensor,
    cfg: float,
    loss: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Towards a small loss, (N,), of the look-ahead images."""
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        eps = unguided(pipe, z, t, words, cfg)
        z0 = pipe.scheduler.step(eps, t, z).pred_original_sample
        (slope,) = torch.autograd.grad(loss(decoded(pipe, z0)).sum(), z)
    abar = pipe.scheduler.alphas_cumprod[t]
    return eps.detach() + (1 - abar) ** 0.5 * slope
