"""The embedded preset: the shipped model of coloured digits, its rewards and its measurements."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.errors import UsageError
from tasks.files.tensors import sound
from tasks.measure.frechet import Moments
from tasks.reward_ft import digits, drawing
from tasks.reward_ft.networks import Judge, Quality
from tasks.reward_ft.scorers import ClipCosine, RandomHead, Standardised

REFERENCE_N = 2000


def _network(kind: type[nn.Module], path: Path) -> Any:
    network = kind()
    try:
        network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise UsageError(f"weights: {path} does not hold a {kind.__name__}; {error}") from error
    sound(f"weights: {path}", network)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def clip(folder: Path, device: str) -> ClipCosine:
    """r1's network."""
    import open_clip
    from transformers import CLIPTokenizer

    open_clip.add_model_config(folder / "clip")
    model = open_clip.create_model(
        "digits-vit",
        pretrained=str(folder / "clip" / "open_clip_model.safetensors"),
        force_preprocess_cfg={"mean": (0.5,) * 3, "std": (0.5,) * 3},
    )
    sound(f"weights: {folder / 'clip'}", model)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "model" / "tokenizer", local_files_only=True)

    def tokenize(texts: list[str]) -> Tensor:
        ids: Tensor = tokenizer(
            texts, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        return ids

    return ClipCosine(model, tokenize, torch.device(device))


@lru_cache(maxsize=1)
def judge(folder: Path, device: str) -> Judge:
    """The network that reads digits and colours."""
    found: Judge = _network(Judge, folder / "judge.safetensors").to(device)
    return found


def judged(network: Judge, images: Tensor) -> tuple[Tensor, Tensor]:
    """The network's choices (N, 3) of digit, ink and ground, and its features (N, 64)."""
    with torch.no_grad():
        verdict = network(images)
    heads = (verdict.digit, verdict.ink, verdict.ground)
    return torch.stack([logits.argmax(1) for logits in heads], 1), verdict.features


@lru_cache(maxsize=16)
def reference(folder: Path, device: str, prompt: str) -> Moments:
    """Statistics of real pictures as the prompt asks for them."""
    real = held_out(prompt).to(device)
    return Moments.of(judged(judge(folder, device), real)[1].cpu().numpy())


def held_out(prompt: str) -> Tensor:
    """The real pictures that the Frechet distance is measured to, (N, 3, 32, 32) in [0, 1]."""
    return drawing.real(digits.parse(prompt), REFERENCE_N, seed=2026, split="test")


def real(prompt: str, n: int) -> Tensor:
    """Real pictures of training scans for a prompt, (n, 3, 32, 32) in [0, 1]."""
    # the reference of the Frechet distance has test scans, so even these are some way from it
    return drawing.real(digits.parse(prompt), n, seed=2027, split="train")


def quality(folder: Path, device: str, prompt: str = "") -> Standardised:
    """A learned score of coloured digits: high for bold strokes, low for damage.

    folder: of the embedded preset's files. Raises UsageError for a damaged one.
    """
    return _standardised("quality", folder, _quality(folder, device))


def random_head(folder: Path, device: str, prompt: str = "") -> Standardised:
    """A random head on the body of `quality`, as the paper's lower reward is on ResNet-18.

    folder: of the embedded preset's files. Raises UsageError for a damaged one.
    """
    head = head_of(folder, device, _scale(folder)["random_head"]["seed"])
    return _standardised("random_head", folder, head)


def head_of(folder: Path, device: str, seed: int) -> RandomHead:
    """A random head on the body of `quality`, not scaled."""
    body = _quality(folder, device).body
    return RandomHead(lambda x: body(x * 2 - 1).mean((2, 3)), 64, seed=seed).to(device)


def _quality(folder: Path, device: str) -> Quality:
    found: Quality = _network(Quality, folder / "quality.safetensors").to(device)
    return found


def _scale(folder: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((folder / "scale.json").read_text())
    return found


def _standardised(name: str, folder: Path, score: nn.Module) -> Standardised:
    scale = _scale(folder)[name]
    return Standardised(score, scale["mean"], scale["std"])
