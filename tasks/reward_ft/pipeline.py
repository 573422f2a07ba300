"""A Stable Diffusion folder as a denoiser, a decoder and cached prompts; everything frozen, nothing assumed of its size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from benchmark.errors import UsageError, one_line
from tasks.reward_ft.folder import files, read_json
from tasks.weights import sound


@dataclass(frozen=True)
class Form:
    """How a model is held. dtype: of U-Net and text encoder; decode_dtype: of the autoencoder.

    size: pixels of a side, 0 for the model's own.  checkpointing, channels_last, compile: slower or faster ways to the
    same numbers up to rounding.  taesd: the folder of a tiny autoencoder that decodes the look-ahead, which
    changes the guidance.
    """

    variant: str = ""
    dtype: str = "fp32"
    decode_dtype: str = "fp32"
    size: int = 0
    checkpointing: bool = False
    channels_last: bool = False
    compile: bool = False
    taesd: Path | None = None


OFFSET = 1  # whatever the file says: so does diffusers' StableDiffusionPipeline
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Diffusion:
    """The pre-trained model. nfe counts network evaluations where they happen: one per image and forward pass of the
    U-Net, two more where it is differentiated. Latents, noise and images are float32 whatever the model's own precision.
    """

    def __init__(
        self, pipe: Any, device: str, form: Form = Form(), tiny: Any = None, remarks: tuple[str, ...] = ()
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
        self.scheduler = DDIMScheduler.from_config(  # unless told, it clips
            pipe.scheduler.config, clip_sample=False, steps_offset=OFFSET
        )
        self.latent_shape = (pipe.unet.config.in_channels, *self._sides(form.size))
        self.nfe = 0
        self._prompts: dict[str, Tensor] = {}

    def _sides(self, size: int) -> tuple[int, int]:
        """Height and width of a latent. Raises UsageError where neither the options nor the model say."""
        own = self._pipe.unet.config.sample_size
        own = list(own) if isinstance(own, list | tuple) else [own, own]
        if size:
            own = [size // self.scale] * 2
        if len(own) != 2 or not all(isinstance(n, int) and n > 0 for n in own) or own[0] != own[1]:
            raise UsageError(
                f"model: unet/config.json: expected one sample_size for both sides, got {one_line(str(own))[:60]}; set "
                "reward_ft.size to the pixels of a side"
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
        dtype, option = (self._decode_dtype, "--set reward_ft.decode_dtype=") if decoding else (self._dtype, "--dtype ")
        if dtype == torch.float32:
            return (
                "the run is in fp32, so its weights and its configuration do not belong together, or a file is damaged"
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

    def eps(self, z: Tensor, t: int, abar: float, text: Tensor, cfg: float) -> Tensor:
        """What the model predicts in z, (N, C, H, W), with classifier-free guidance of strength cfg: the noise, or v where
        the scheduler says so. `Schedule` knows which.
        """
        count = 2 * len(z)
        differentiated = torch.is_grad_enabled() and z.requires_grad
        self.nfe += 3 * count if differentiated else count
        both = torch.cat([z, z])
        unet = self._unet if differentiated else self._plain_unet
        words = text.repeat_interleave(len(z), 0)
        out = unet(both.to(self._dtype), t, encoder_hidden_states=words.to(self._dtype)).sample.to(z.dtype)
        plain, prompted = out.chunk(2)
        mixed: Tensor = plain + cfg * (prompted - plain)
        return mixed

    def decode(self, z: Tensor) -> Tensor:
        """Images (N, 3, H, W); in [0, 1] but for small excess, which is left so that gradients pass."""
        latent = (z / self._vae.config.scaling_factor).to(self._decode_dtype)
        images: Tensor = self._vae.decode(latent).sample.to(z.dtype) / 2 + 0.5
        return images

    def look_ahead(self, z: Tensor) -> Tensor:
        """As `decode`, by the tiny autoencoder where there is one."""
        if self._tiny is None:
            return self.decode(z)
        images: Tensor = self._tiny.decode(z / self._tiny.config.scaling_factor).sample.to(z.dtype) / 2 + 0.5
        return images


def quiet() -> None:
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.set_verbosity_error()
    for library in (logging, transformers_logging):
        library.disable_progress_bar()


def scheduler(folder: Path) -> Any:
    """The DDIM scheduler of a model's folder, as `Diffusion` has it. Raises UsageError."""
    import diffusers

    quiet()
    config = read_json(folder / "scheduler" / "scheduler_config.json")
    try:
        own = getattr(diffusers, str(config["_class_name"])).from_config(config)
        return diffusers.DDIMScheduler.from_config(own.config, clip_sample=False, steps_offset=OFFSET)
    except Exception as error:  # diffusers raises whatever a wrong file leads it to
        said = one_line(f"{type(error).__name__}: {error}")[:300]
        raise UsageError(f"model {folder}: its scheduler cannot be made: {said}") from error


def _remarks(pipe: Any, folder: Path, variant: str) -> tuple[str, ...]:
    """What diffusers and transformers would have warned of, where it may matter."""
    found = []
    steps = read_json(folder / "scheduler" / "scheduler_config.json").get("steps_offset", OFFSET)
    if steps != OFFSET:
        found.append(
            f"the scheduler's steps_offset is {steps} in its file, and taken as {OFFSET} as by diffusers' pipeline"
        )
    side, own = (c.get("sample_size") for c in (read_json(folder / "unet" / "config.json"), pipe.unet.config))
    if side is not None and side != own and list(side if isinstance(side, list) else [side]) != own:
        found.append(f"the U-Net's sample_size is {side} in its file, and taken as {own} as by diffusers' pipeline")
    for part in ("unet", "vae", "text_encoder"):
        here = [p for name, p in files(folder, variant).items() if re.match(rf"{part}/.*\.safetensors$", name)]
        names = {name for path in here for name in _names(path) if not name.endswith("position_ids")}
        known = [name for name in getattr(pipe, part).state_dict() if not name.endswith("position_ids")]
        if len(names) > len(known):
            found.append(f"{part}: {len(names) - len(known)} tensors of its file belong to no part of the network")
    return tuple(found)


def _names(path: Path) -> set[str]:
    with safe_open(path, "pt") as table:
        return set(table.keys())


def _complete(text_encoder: Any, folder: Path, variant: str) -> None:
    """Raises UsageError where a tensor is missing, which transformers would fill at random."""
    paths = [p for name, p in files(folder, variant).items() if re.match(r"text_encoder/.*\.safetensors$", name)]
    there = {name.removeprefix("text_model.") for path in paths for name in _names(path)}
    wanted = {
        name.removeprefix("text_model.") for name in text_encoder.state_dict() if not name.endswith("position_ids")
    }
    if missing := sorted(wanted - there):
        raise UsageError(
            f"model {folder}: text_encoder has no tensor {missing[0]} and {len(missing) - 1} more: weights of another"
        )


@lru_cache(maxsize=1)
def load(folder: Path, device: str, form: Form = Form()) -> Diffusion:
    """Read a Stable Diffusion folder from the disk. Kept for the next run of this process. Raises UsageError."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    quiet()
    try:
        pipe = StableDiffusionPipeline.from_pretrained(
            folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False, local_files_only=True,
            dtype=torch.float32, use_safetensors=True, variant=form.variant or None,
        )  # fmt: skip
        tiny = None
        if form.taesd is not None:
            tiny = AutoencoderTiny.from_pretrained(form.taesd, local_files_only=True, use_safetensors=True)
    except Exception as error:  # the libraries raise whatever a damaged file leads them to
        raise UsageError(
            f"model {folder}: it cannot be loaded: {one_line(f'{type(error).__name__}: {error}')[:400]}"
        ) from error
    _complete(pipe.text_encoder, folder, form.variant)
    for part in ("unet", "vae", "text_encoder"):
        sound(f"model {folder}: {part}", getattr(pipe, part))
    if tiny is not None:
        sound(f"tiny autoencoder {form.taesd}", tiny)
    words, known = len(pipe.tokenizer), pipe.text_encoder.config.vocab_size
    if words > known:
        raise UsageError(
            f"model {folder}: tokenizer has {words} tokens, text_encoder knows {known}: parts of two models"
        )
    step = 2 ** (len(pipe.vae.config.block_out_channels) + len(pipe.unet.config.block_out_channels) - 2)
    if form.size % step:
        raise UsageError(f"option reward_ft.size: expected 0 or a multiple of {step} for this model, got {form.size}")
    return Diffusion(pipe, device, form, tiny, _remarks(pipe, folder, form.variant))


def draws(seed: int, steps: int, shape: tuple[int, int, int]) -> Tensor:
    """One image's random numbers: z_T and a noise for each step, (steps + 1, C, H, W), from its own seed alone."""
    return torch.randn(steps + 1, *shape, generator=torch.Generator().manual_seed(seed))
