"""A Stable Diffusion folder, read from the disk and checked for what the libraries let pass."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from benchmark.errors import UsageError, format_error
from tasks.files.tensors import sound
from tasks.reward_ft.diffusion import Diffusion
from tasks.reward_ft.folder import files, read_json
from tasks.reward_ft.form import PLAIN, Form
from tasks.reward_ft.schedulers import OFFSET, quiet, read_config


def _remarks(pipe: Any, folder: Path, variant: str) -> tuple[str, ...]:
    """What diffusers and transformers would have warned of, where it may matter."""
    # `quiet` turns their own warnings off
    remarks = []
    steps = read_config(folder).get("steps_offset", OFFSET)
    if steps != OFFSET:
        remarks.append(
            f"the scheduler's steps_offset is {steps} in its file, and taken as {OFFSET} as by "
            "diffusers' pipeline"
        )
    side, own = (
        c.get("sample_size") for c in (read_json(folder / "unet" / "config.json"), pipe.unet.config)
    )
    if side is not None and side != own and list(side if isinstance(side, list) else [side]) != own:
        remarks.append(
            f"the U-Net's sample_size is {side} in its file, and taken as {own} as by diffusers' "
            "pipeline"
        )
    for part in ("unet", "vae", "text_encoder"):
        stored = _tensors(folder, part, variant)
        known = _without_positions(getattr(pipe, part).state_dict())
        if (more := len(stored) - len(known)) > 0:
            remarks.append(f"{part}: {more} tensors of its file belong to no part of the network")
    return tuple(remarks)


def _tensors(folder: Path, part: str, variant: str) -> set[str]:
    """Names of all tensors in a part's files."""
    found: set[str] = set()
    for name, path in files(folder, variant).items():
        if re.match(rf"{part}/.*\.safetensors$", name):
            with safe_open(path, "pt") as table:
                found |= _without_positions(table.keys())
    return found


def _without_positions(names: Iterable[str]) -> set[str]:
    """The names, less position_ids."""
    # some versions of transformers store these constants and others do not
    return {name for name in names if not name.endswith("position_ids")}


def _complete(text_encoder: Any, folder: Path, variant: str) -> None:
    """Raises UsageError where a tensor is missing, which transformers would fill at random."""
    # versions of transformers differ in the prefix text_model.
    stored, wanted = (
        {name.removeprefix("text_model.") for name in names}
        for names in (
            _tensors(folder, "text_encoder", variant),
            _without_positions(text_encoder.state_dict()),
        )
    )
    if missing := sorted(wanted - stored):
        raise UsageError(
            f"model {folder}: text_encoder has no tensor {missing[0]} and {len(missing) - 1} "
            "more: weights of another"
        )


# kept for the next run of this process; one, because a model takes gigabytes
@lru_cache(maxsize=1)
def load(folder: Path, device: str, form: Form = PLAIN) -> Diffusion:
    """Read a Stable Diffusion folder from the disk. Raises UsageError."""
    quiet()
    try:
        pipe, tiny = _read(folder, form)
    except Exception as error:  # the libraries raise whatever a damaged file leads them to
        raise UsageError(
            f"model {folder}: it cannot be loaded: {format_error(error)[:400]}"
        ) from error
    _complete(pipe.text_encoder, folder, form.variant)
    for part in ("unet", "vae", "text_encoder"):
        sound(f"model {folder}: {part}", getattr(pipe, part))
    if tiny is not None:
        sound(f"tiny autoencoder {form.taesd}", tiny)
    _fit(pipe, folder, form.size)
    return Diffusion(pipe, device, form, tiny, _remarks(pipe, folder, form.variant))


def _read(folder: Path, form: Form) -> tuple[Any, Any]:
    """diffusers' pipeline, and its tiny autoencoder or None."""
    from diffusers import AutoencoderTiny, StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(
        folder,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        local_files_only=True,
        dtype=torch.float32,
        use_safetensors=True,
        variant=form.variant or None,
    )
    if form.taesd is None:
        return pipe, None
    return pipe, AutoencoderTiny.from_pretrained(
        form.taesd, local_files_only=True, use_safetensors=True
    )


def _fit(pipe: Any, folder: Path, size: int) -> None:
    """Raises UsageError for parts of two models, and for a size that its levels do not divide."""
    words, known = len(pipe.tokenizer), pipe.text_encoder.config.vocab_size
    if words > known:
        raise UsageError(
            f"model {folder}: tokenizer has {words} tokens, text_encoder knows {known}: parts of "
            "two models"
        )
    levels = sum(len(part.config.block_out_channels) - 1 for part in (pipe.vae, pipe.unet))
    if size % (step := 2**levels):
        raise UsageError(
            f"option reward_ft.size: expected 0 or a multiple of {step} for this model, got {size}"
        )
