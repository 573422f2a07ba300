"""A pre-trained latent model, frozen, as a denoiser, a decoder and cached prompts; any size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmark.errors import UsageError, one_line
from tasks.reward_ft.form import PLAIN, Form
from tasks.reward_ft.schedulers import OFFSET

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Diffusion:
    """The pre-trained model. Latents, noise and images are float32, whatever its own precision.

    nfe: passes of the U-Net, one for each image; a differentiated one counts 3.
    """

    def __init__(
        self,
        pipe: Any,
        device: str,
        form: Form = PLAIN,
        tiny: Any = None,
        remarks: tuple[str, ...] = (),
    ) -> None:
        from diffusers import DDIMScheduler

        self._pipe, self.remarks = pipe, remarks
        self.device = torch.device(device)
        self._dtype, self._decode_dtype = DTYPES[form.dtype], DTYPES[form.decode_dtype]
        layout = torch.channels_last if form.channels_last else torch.contiguous_format
        for part in (pipe.unet, pipe.vae, pipe.text_encoder, tiny):
            if part is not None:
                part.to(self.device).eval().requires_grad_(False)
        pipe.unet.to(self._dtype, memory_format=layout)
        pipe.text_encoder.to(self._dtype)
        pipe.vae.to(self._decode_dtype, memory_format=layout)
        if form.checkpointing:
            pipe.unet.enable_gradient_checkpointing()
            pipe.vae.enable_gradient_checkpointing()
        self._unet, self._vae, self._tiny = pipe.unet, pipe.vae, tiny
        self._plain_unet = torch.compile(self._unet) if form.compile else self._unet
        # diffusers' default is to clip predicted images, which no latent model does
        self.scheduler = DDIMScheduler.from_config(
            pipe.scheduler.config, clip_sample=False, steps_offset=OFFSET
        )
        self.latent_shape = (pipe.unet.config.in_channels, *self._sides(form.size))
        self.nfe = 0
        self._prompts: dict[str, Tensor] = {}

    def _sides(self, size: int) -> tuple[int, int]:
        """Height and width of a latent, from the options or else the model. Raises UsageError."""
        own = self._pipe.unet.config.sample_size
        own = list(own) if isinstance(own, list | tuple) else [own, own]
        if size:
            own = [size // self.scale] * 2
        if len(own) != 2 or not all(isinstance(n, int) and n > 0 for n in own) or own[0] != own[1]:
            raise UsageError(
                "model: unet/config.json: expected one sample_size for both sides, got "
                f"{one_line(str(own))[:60]}; set reward_ft.size to the pixels of a side"
            )
        return own[0], own[1]

    @property
    def scale(self) -> int:
        """Pixels of a latent's side."""
        return int(2 ** (len(self._pipe.vae.config.block_out_channels) - 1))

    @property
    def words(self) -> int:
        """Width of a text embedding."""
        return int(self._unet.config.cross_attention_dim)

    def cure(self, decoding: bool) -> str:
        """What to set where numbers are not finite though nothing guided them."""
        dtype, option = (
            (self._decode_dtype, "--set reward_ft.decode_dtype=")
            if decoding
            else (self._dtype, "--dtype ")
        )
        if dtype == torch.float32:
            return (
                "the run is in fp32, so its weights and its configuration do not belong "
                "together, or a file is damaged"
            )
        return f"set {option}fp32" + (f", or {option}bf16" if dtype == torch.float16 else "")

    @property
    def networks(self) -> tuple[Any, ...]:
        """U-Net and autoencoders."""
        return tuple(part for part in (self._unet, self._vae, self._tiny) if part is not None)

    def text(self, prompt: str) -> Tensor:
        """Embeddings of the empty prompt and of this one, (2, L, D); computed once."""
        if prompt not in self._prompts:
            with torch.no_grad():
                positive, negative = self._pipe.encode_prompt(prompt, self.device, 1, True)
            self._prompts[prompt] = torch.cat([negative, positive])
        return self._prompts[prompt]

    @property
    def own_scheduler(self) -> Any:
        """The configuration of the scheduler in the model's folder."""
        return self._pipe.scheduler.config

    def predict(self, z: Tensor, t: Tensor, words: Tensor) -> Tensor:
        """What the U-Net makes of each row of z, (N, C, H, W), at its own t, (N,), and its own
        embedding, (N, L, D).
        """
        self.nfe += len(z)
        out: Tensor = self._plain_unet(
            z.to(self._dtype), t, encoder_hidden_states=words.to(self._dtype), return_dict=False
        )[0]
        return out.to(z.dtype)

    def eps(self, z: Tensor, t: int, abar: float, text: Tensor, cfg: float) -> Tensor:
        """What the model predicts in z, (N, C, H, W), with classifier-free guidance of strength
        cfg: the noise, or v where the scheduler says so. `Schedule` knows which.
        """
        count = 2 * len(z)
        differentiated = torch.is_grad_enabled() and z.requires_grad
        # counted where the network is called, so that no way around the count exists
        self.nfe += 3 * count if differentiated else count
        both = torch.cat([z, z])
        unet = self._unet if differentiated else self._plain_unet
        words = text.repeat_interleave(len(z), 0)
        out = unet(both.to(self._dtype), t, encoder_hidden_states=words.to(self._dtype)).sample.to(
            z.dtype
        )
        plain, prompted = out.chunk(2)
        mixed: Tensor = plain + cfg * (prompted - plain)
        return mixed

    def decode(self, z: Tensor) -> Tensor:
        """Images (N, 3, H, W), in [0, 1] but for a small excess."""
        latent = (z / self._vae.config.scaling_factor).to(self._decode_dtype)
        # not clamped: beyond a clamp no gradient would pass
        images: Tensor = self._vae.decode(latent).sample.to(z.dtype) / 2 + 0.5
        return images

    def look_ahead(self, z: Tensor) -> Tensor:
        """As `decode`, by the tiny autoencoder where there is one."""
        if self._tiny is None:
            return self.decode(z)
        decoded = self._tiny.decode(z / self._tiny.config.scaling_factor).sample
        images: Tensor = decoded.to(z.dtype) / 2 + 0.5
        return images


def draws(seed: int, steps: int, shape: tuple[int, int, int]) -> Tensor:
    """One image's random numbers: z_T and a noise for each step, (steps + 1, C, H, W)."""
    # a generator for each image: it is then the same in every micro-batch
    return torch.randn(steps + 1, *shape, generator=torch.Generator().manual_seed(seed))
