"""A Stable Diffusion folder as a denoiser, a decoder and cached prompts; everything frozen, nothing assumed of its size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Diffusion:
    """The pre-trained model. nfe counts network evaluations where they happen: one per image and forward pass of the
    U-Net, two more where it is differentiated.
    """

    def __init__(self, pipe: Any, device: str) -> None:
        from diffusers import DDIMScheduler

        self._pipe = pipe
        self.device = torch.device(device)
        for part in (pipe.unet, pipe.vae, pipe.text_encoder):
            part.to(self.device).eval().requires_grad_(False)
        self._unet, self._vae = pipe.unet, pipe.vae
        self.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        self.latent_shape = (pipe.unet.config.in_channels, pipe.unet.config.sample_size, pipe.unet.config.sample_size)
        self.nfe = 0
        self._prompts: dict[str, Tensor] = {}

    def text(self, prompt: str) -> Tensor:
        """Embeddings of the empty prompt and of this one, (2, L, D); computed once."""
        if prompt not in self._prompts:
            with torch.no_grad():
                positive, negative = self._pipe.encode_prompt(prompt, self.device, 1, True)
            self._prompts[prompt] = torch.cat([negative, positive])
        return self._prompts[prompt]

    def eps(self, z: Tensor, t: int, abar: float, text: Tensor, cfg: float) -> Tensor:
        """The noise (N, C, H, W) that the model sees in z, with classifier-free guidance of strength cfg."""
        count = 2 * len(z)
        self.nfe += 3 * count if torch.is_grad_enabled() and z.requires_grad else count
        both = torch.cat([z, z])
        out = self._unet(both, t, encoder_hidden_states=text.repeat_interleave(len(z), 0)).sample
        if self.scheduler.config.prediction_type == "v_prediction":
            out = abar**0.5 * out + (1 - abar) ** 0.5 * both
        plain, prompted = out.chunk(2)
        mixed: Tensor = plain + cfg * (prompted - plain)
        return mixed

    def decode(self, z: Tensor) -> Tensor:
        """Images (N, 3, H, W); in [0, 1] but for small excess, which is left so that gradients pass."""
        images: Tensor = self._vae.decode(z / self._vae.config.scaling_factor).sample / 2 + 0.5
        return images


@lru_cache(maxsize=1)
def load(folder: Path, device: str) -> Diffusion:
    """Read a Stable Diffusion folder from the disk, in float32. Kept for the next run of this process."""
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.set_verbosity_error()
    for library in (logging, transformers_logging):
        library.disable_progress_bar()
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, requires_safety_checker=False, local_files_only=True,
        dtype=torch.float32, use_safetensors=True,
    )  # fmt: skip
    return Diffusion(pipe, device)


@dataclass(frozen=True)
class Schedule:
    """The DDIM steps (Song et al. 2021, eq. 12 and 16): t, abar_t, abar_{t-1}, and the noise sigma_t, each (steps,)."""

    t: tuple[int, ...]
    abar: tuple[float, ...]
    previous: tuple[float, ...]
    sigma: tuple[float, ...]

    @classmethod
    def of(cls, scheduler: Any, steps: int, eta: float) -> Schedule:
        scheduler.set_timesteps(steps)
        t = [int(v) for v in scheduler.timesteps]
        table = scheduler.alphas_cumprod.double().numpy()
        stride = scheduler.config.num_train_timesteps // steps
        abar = table[t]
        previous = np.array([table[v - stride] if v >= stride else float(scheduler.final_alpha_cumprod) for v in t])
        sigma = eta * np.sqrt((1 - previous) / (1 - abar) * (1 - abar / previous))
        return cls(tuple(t), tuple(abar), tuple(previous), tuple(sigma))

    def coefficient(self, k: int) -> float:
        """c_t: what one unit of eps adds to z_{t-1}."""
        return float(
            (1 - self.previous[k] - self.sigma[k] ** 2) ** 0.5
            - (self.previous[k] * (1 - self.abar[k]) / self.abar[k]) ** 0.5
        )

    def clean(self, k: int, z: Tensor, eps: Tensor) -> Tensor:
        """The look-ahead prediction of z_0."""
        z0: Tensor = (z - (1 - self.abar[k]) ** 0.5 * eps) / self.abar[k] ** 0.5
        return z0

    def step(self, k: int, z: Tensor, eps: Tensor, noise: Tensor) -> Tensor:
        """z_{t-1} from z_t."""
        mean: Tensor = (self.previous[k] / self.abar[k]) ** 0.5 * z + self.coefficient(k) * eps
        return mean + self.sigma[k] * noise


def draws(seed: int, steps: int, shape: tuple[int, int, int]) -> Tensor:
    """One image's random numbers: z_T and a noise for each step, (steps + 1, C, H, W), from its own seed alone."""
    return torch.randn(steps + 1, *shape, generator=torch.Generator().manual_seed(seed))
