"""The files of the paper's preset, full size and layout, random weights; 5 GB.

The vocabulary is the real one: open_clip brings it along.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "clip_sample": False,
}


def preset(folder: Path) -> dict[str, str]:
    """All that the preset needs; the options of reward_ft that say where it lies."""
    return {
        "model": str(stable_diffusion(folder)),
        "clip": str(clip(folder)),
        "reward_weights": str(resnet(folder)),
        "inception": str(inception(folder)),
    }


def stable_diffusion(folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Stable Diffusion 1.5 by its configuration.

    U-Net 860 M parameters, autoencoder 84 M, text encoder 123 M.
    """
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    words = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(words),
        tokenizer=tokenizer(folder / "words"),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        scheduler=PNDMScheduler.from_config(SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.to(dtype)
    pipe.save_pretrained(folder / "sd")
    return folder / "sd"


def tokenizer(folder: Path) -> Any:
    """CLIP's, with its 49408 words."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    known = SimpleTokenizer()
    ranks = sorted(known.bpe_ranks, key=known.bpe_ranks.__getitem__)
    words = dict(known.encoder)
    for ours, theirs in (
        ("<start_of_text>", "<|startoftext|>"),
        ("<end_of_text>", "<|endoftext|>"),
    ):
        words[theirs] = words.pop(ours)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in ranks)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def clip(folder: Path, name: str = "ViT-B-16-quickgelu") -> Path:
    """An open_clip model in open_clip's folder layout."""
    import open_clip

    shape = open_clip.get_model_config(name)
    tag = open_clip.get_pretrained_cfg(name, "openai")
    about = {k: tag[k] for k in ("mean", "std", "interpolation", "resize_mode")}
    torch.manual_seed(1)
    model = open_clip.create_model(name)
    (folder / "clip").mkdir(parents=True)
    (folder / "clip" / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": shape, "preprocess_cfg": about})
    )
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        folder / "clip" / "open_clip_model.safetensors",
    )
    return folder / "clip"


def resnet(folder: Path) -> Path:
    from torchvision.models import resnet18

    torch.manual_seed(2)
    torch.save(resnet18(weights=None).state_dict(), folder / "resnet18.pth")
    return folder / "resnet18.pth"


def inception(folder: Path) -> Path:
    from tasks.measure.inception_network import architecture

    rng = torch.Generator().manual_seed(3)
    state = architecture().state_dict()
    for value in state.values():
        # He's scale, so that a deep network of random weights keeps its signal
        if value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=rng) * (2.0 / value[0].numel()) ** 0.5)
    torch.save(state, folder / "inception.pth")
    return folder / "inception.pth"


def tiny_autoencoder(folder: Path) -> Path:
    """TAESD by its configuration."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(4)
    AutoencoderTiny(scaling_factor=1.0).save_pretrained(folder / "taesd")
    return folder / "taesd"
