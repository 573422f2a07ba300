"""Untrained parts of the embedded preset, as of a Stable Diffusion folder, and its pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tasks.reward_ft import digits, drawing
from tasks.reward_ft.digits import Caption
from tasks.reward_ft.drawing import Split

CONTEXT = 12
TEXT_WIDTH = 64
CLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 64, "head_width": 16, "patch_size": 4},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 0, "width": 64, "heads": 4, "layers": 2},
}


@dataclass(frozen=True)
class Pictures:
    """images: (N, 3, 32, 32) in [0, 1].  weight: of strokes, (N,).  captions: without a weight."""

    images: Tensor
    weight: Tensor
    captions: list[Caption]

    def labels(self, kind: str) -> Tensor:
        return torch.tensor([getattr(c, kind) for c in self.captions])


def pictures(
    n: int, rng: np.random.Generator, split: Split, *, prior: bool = False, seen_only: bool = False
) -> Pictures:
    """n random pictures, less some with seen_only.

    prior: stroke weights as in the generator's pictures, else uniform in [0, 1].
    seen_only: leave out the combinations that the generator must not see.
    """
    scans, numbers = drawing.scans(split)
    scan = rng.integers(0, len(scans), n)
    ink, ground = rng.integers(0, len(digits.INKS), n), rng.integers(0, len(digits.GROUNDS), n)
    captions = [
        Caption(int(numbers[s]), int(i), int(g)) for s, i, g in zip(scan, ink, ground, strict=True)
    ]
    weight = drawing.prior_weight(n, rng) if prior else torch.from_numpy(rng.random(n)).float()
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    images = drawing.draw(
        drawing.scans(split)[0][scan],
        weight,
        torch.from_numpy(ink),
        torch.from_numpy(ground),
        generator,
    )
    if not seen_only:
        return Pictures(images, weight, captions)
    keep = [k for k, c in enumerate(captions) if not digits.held_out(c)]
    return Pictures(images[keep], weight[keep], [captions[k] for k in keep])


def weight_word(weight: float) -> str:
    return next(word for word, (_, high) in digits.WEIGHTS.items() if weight <= high)


def damage(images: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures with noise, blotches, blur or fading, and the damage, (N,) in [0, 1]."""
    n = len(images)
    level = torch.from_numpy(rng.random(n)).float()
    kind = rng.integers(0, 4, n)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    scale = level[:, None, None, None]
    noise = images + 0.5 * scale * torch.randn(images.shape, generator=generator)
    coarse = torch.rand(n, 3, 6, 6, generator=generator)
    holes = functional.interpolate(
        (torch.rand(n, 1, 6, 6, generator=generator) < 0.6 * scale).float(), 32, mode="bilinear"
    )
    blotches = images * (1 - holes) + holes * functional.interpolate(coarse, 32, mode="bilinear")
    blur = functional.interpolate(
        functional.interpolate(images, 5, mode="area"), 32, mode="bilinear"
    )
    blurred = images * (1 - scale) + blur * scale
    faded = images * (1 - scale) + images.mean((2, 3), keepdim=True) * scale
    choice = torch.stack([noise, blotches, blurred, faded])
    return choice[torch.from_numpy(kind), torch.arange(n)].clamp(0, 1), level


def make_tokenizer(folder: Path) -> Any:
    """A CLIPTokenizer with one token per word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # merges trained on the vocabulary itself make a token of every word
    bpe.train_from_iterator(
        [" ".join(digits.WORDS)] * 2,
        trainers.BpeTrainer(
            vocab_size=2000, min_frequency=1, end_of_word_suffix="</w>", show_progress=False
        ),
    )
    model = json.loads(bpe.to_str())["model"]
    words = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    vocabulary = {t: i for i, t in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=CONTEXT
    )


def make_vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        sample_size=32,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
    )


def make_unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(48, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def make_text_encoder(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="trailing",
    )


def tokenize(tokenizer: Any, texts: list[str]) -> Tensor:
    """Token ids (N, CONTEXT)."""
    ids: Tensor = tokenizer(
        texts, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt"
    ).input_ids
    return ids
