"""The training stages of the embedded preset: each is seeded and writes safetensors."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from tasks.reward_ft import digits
from tasks.reward_ft.digits import Caption
from tasks.reward_ft.drawing import Split
from tasks.reward_ft.networks import Judge, Quality
from tasks.reward_ft.recipe import parts


def say(stage: str, **figures: float) -> None:
    print(
        f"{time.strftime('%H:%M:%S')} {stage:8s}",
        *(f"{k}={v:.4g}" for k, v in figures.items()),
        flush=True,
    )


def optimise(
    model: nn.Module,
    loss: Callable[[], Tensor],
    steps: int,
    lr: float,
    every: Callable[[int], None] | None = None,
) -> None:
    """AdamW with 100 steps of warm-up and a cosine to zero; `every` is called after each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min(1.0, (k + 1) / 100) * 0.5 * (1 + math.cos(math.pi * k / steps))
    )
    model.train()
    for k in range(1, steps + 1):
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if k % 250 == 0:
            say(type(model).__name__, step=k, loss=float(value))
        if every:
            every(k)
    model.eval()


def save(model: nn.Module, path: Path) -> None:
    """Write the weights in half precision, which is what ships."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            k: v.half().contiguous() if v.is_floating_point() else v
            for k, v in model.state_dict().items()
        },
        path,
    )


def load(model: nn.Module, path: Path) -> nn.Module:
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    )
    return model.eval().requires_grad_(False)


def train_vae(out: Path, steps: int) -> None:
    rng = np.random.default_rng(1)
    vae = parts.make_vae()

    def loss() -> Tensor:
        x = parts.pictures(32, rng, "train", prior=True).images * 2 - 1
        posterior = vae.encode(x).latent_dist
        rebuilt = vae.decode(posterior.sample()).sample
        kl = posterior.kl().mean() / 256
        value: Tensor = (
            functional.mse_loss(rebuilt, x) + 0.05 * functional.l1_loss(rebuilt, x) + 5e-3 * kl
        )
        return value

    optimise(vae, loss, steps, 2e-3)
    with torch.no_grad():
        x = parts.pictures(512, rng, "test", prior=True).images * 2 - 1
        posterior = vae.encode(x).latent_dist
        mse = functional.mse_loss(vae.decode(posterior.mode()).sample, x)
        vae.register_to_config(scaling_factor=float(1 / posterior.sample().std()))
        say(
            "vae",
            psnr=float(10 * torch.log10(4 / mse)),
            posterior_std=float(posterior.std.mean()),
            scale=vae.config.scaling_factor,
        )
    vae.half().save_pretrained(out / "model" / "vae")


def damaged(batch: Tensor, rng: np.random.Generator, vae: Any) -> tuple[Tensor, Tensor]:
    """Damage in pixels for one half, in latents for the other; and its level, (N,) in [0, 1]."""
    # guided sampling does its damage in latents
    pixels, level = parts.damage(batch[::2], rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    rest = batch[1::2]
    amount = torch.from_numpy(rng.random(len(rest))).float()
    with torch.no_grad():
        z = vae.encode(rest * 2 - 1).latent_dist.mode()
        z = z + 1.5 * z.std() * amount[:, None, None, None] * torch.randn(
            z.shape, generator=generator
        )
        decoded = (vae.decode(z).sample / 2 + 0.5).clamp(0, 1)
    return torch.cat([pixels, decoded]), torch.cat([level, amount])


def train_judge(out: Path, steps: int) -> None:
    rng = np.random.default_rng(2)
    judge = Judge()

    def loss() -> Tensor:
        batch = parts.pictures(128, rng, "train")
        noise = torch.randn(
            batch.images.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**62)))
        )
        seen = judge(batch.images + 0.04 * noise)
        return (
            functional.cross_entropy(seen.digit, batch.labels("digit"), label_smoothing=0.02)
            + functional.cross_entropy(seen.ink, batch.labels("ink"))
            + functional.cross_entropy(seen.ground, batch.labels("ground"))
            + functional.mse_loss(seen.weight, batch.weight)
        )

    optimise(judge, loss, steps, 3e-3)
    save(judge, out / "judge.safetensors")
    with torch.no_grad():
        batch = parts.pictures(3000, rng, "test", prior=True)
        seen = judge(batch.images)
        say(
            "judge",
            digit=float((seen.digit.argmax(1) == batch.labels("digit")).float().mean()),
            ink=float((seen.ink.argmax(1) == batch.labels("ink")).float().mean()),
            ground=float((seen.ground.argmax(1) == batch.labels("ground")).float().mean()),
            weight_rmse=float((seen.weight - batch.weight).square().mean().sqrt()),
        )


def train_quality(out: Path, steps: int) -> None:
    """Label: the stroke weight in deviations of the prior, less four times the damage."""
    from diffusers import AutoencoderKL

    rng = np.random.default_rng(3)
    vae = AutoencoderKL.from_pretrained(out / "model" / "vae", dtype=torch.float32)
    quality = Quality()

    def examples(n: int, split: Split) -> tuple[Tensor, Tensor]:
        batch = parts.pictures(n, rng, split)
        # mean and deviation of drawing.WEIGHT_PRIOR
        label = (batch.weight - 0.4) / 0.2
        worse, level = damaged(batch.images[: n // 2], rng, vae)
        order = torch.cat(
            [torch.arange(0, n // 2, 2), torch.arange(1, n // 2, 2), torch.arange(n // 2, n)]
        )
        level = torch.cat([level, torch.zeros(n - n // 2)])
        return torch.cat([worse, batch.images[n // 2 :]]), label[order] - 4 * level

    def loss() -> Tensor:
        images, label = examples(128, "train")
        value: Tensor = functional.mse_loss(quality(images), label)
        return value

    optimise(quality, loss, steps, 3e-3)
    save(quality, out / "quality.safetensors")
    with torch.no_grad():
        images, label = examples(2048, "test")
        guess = quality(images)
        say("quality", correlation=float(torch.corrcoef(torch.stack([guess, label]))[0, 1]))


def train_clip(out: Path, steps: int) -> None:
    """A contrastive model whose captions name the stroke weight three times in four."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    rng = np.random.default_rng(4)
    vae = AutoencoderKL.from_pretrained(out / "model" / "vae", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(out / "model" / "tokenizer")
    clip = _untrained_clip(out / "clip" / "digits-vit.json", len(tokenizer))

    # captions without the word too: with it alone every prompt without it would be a stranger
    def say_it(c: Caption, w: float) -> str:
        return str(
            Caption(c.digit, c.ink, c.ground, parts.weight_word(w) if rng.random() < 0.75 else None)
        )

    def loss() -> Tensor:
        batch = parts.pictures(128, rng, "train")
        texts = [say_it(c, float(w)) for c, w in zip(batch.captions, batch.weight, strict=True)]
        # damaged pictures fit no caption: they are wrong answers for every text
        worse, level = damaged(batch.images[:48], rng, vae)
        images = torch.cat([batch.images, worse[level > 0.35]])
        noise = torch.randn(
            images.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**62)))
        )
        seen = clip.encode_image((images + 0.02 * noise) * 2 - 1, normalize=True)
        read = clip.encode_text(parts.tokenize(tokenizer, texts), normalize=True)
        logits = 10 * read @ seen.T
        # equal captions in a batch are right for each other
        same = torch.tensor([[float(a == b) for b in texts] for a in texts])
        same = same / same.sum(1, keepdim=True)
        by_text = functional.cross_entropy(
            logits, functional.pad(same, (0, len(images) - len(texts)))
        )
        return (by_text + functional.cross_entropy(logits[:, : len(texts)].T, same)) / 2

    optimise(clip, loss, steps, 1.5e-3)
    save(clip, out / "clip" / "open_clip_model.safetensors")
    _report_clip(clip, tokenizer, parts.pictures(2000, rng, "test"))


def _untrained_clip(path: Path, vocabulary: int) -> Any:
    """The model, whose configuration is written to `path`; its temperature is fixed at 1/10."""
    import open_clip

    config = copy.deepcopy(parts.CLIP_CONFIG)
    config["text_cfg"]["vocab_size"] = vocabulary
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=1))
    open_clip.add_model_config(path)
    clip = open_clip.create_model("digits-vit")
    with torch.no_grad():
        clip.logit_scale.fill_(math.log(10))
    clip.logit_scale.requires_grad_(False)
    return clip


@torch.no_grad()
def _report_clip(clip: Any, tokenizer: Any, batch: parts.Pictures) -> None:
    """Print the cosines of pictures with right and wrong captions, and with "bold" by weight."""
    seen: Tensor = clip.encode_image(batch.images * 2 - 1, normalize=True)

    def cosines(texts: list[str]) -> Tensor:
        read: Tensor = clip.encode_text(parts.tokenize(tokenizer, texts), normalize=True)
        return (seen * read).sum(1)

    texts = [
        str(Caption(c.digit, c.ink, c.ground, parts.weight_word(float(w))))
        for c, w in zip(batch.captions, batch.weight, strict=True)
    ]
    right, wrong = cosines(texts), cosines(texts[1:] + texts[:1])
    wins = float((right > wrong).float().mean())
    say("clip", right=float(right.mean()), wrong=float(wrong.mean()), wins=wins)
    bold = cosines([str(Caption(c.digit, c.ink, c.ground, "bold")) for c in batch.captions])
    for word, (low, high) in digits.WEIGHTS.items():
        pick = (batch.weight > low) & (batch.weight <= high)
        say("clip", **{f"bold_seen_as_{word}": float(bold[pick].mean())})
