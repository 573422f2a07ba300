"""Metrics with a published network of their own, of the images of stored answers.

`bench fetch --metrics NAME` downloads a network into the caches of hub and torch; a folder NAME
below $BENCH_WEIGHTS_DIR comes before those.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError
from benchmark.protocol import FeaturePairs, ImagePairs
from benchmark.registry import REWARDS
from tasks.files.download import fetch
from tasks.files.folders import pretrained
from tasks.files.weights import OnHub, digest, in_folder, place
from tasks.measure.frechet import Moments, frechet
from tasks.measure.remembered import remembered

VARIABLE = "BENCH_WEIGHTS_DIR"
DINO = "facebook/dinov2-large"
DINO_FILES = {"config": OnHub(DINO, "config.json"), "network": OnHub(DINO, "model.safetensors")}
_SIDE, _AT_ONCE = 224, 16
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def given(name: str) -> str:
    """The folder of a metric's files below $BENCH_WEIGHTS_DIR, or ""."""
    folder = os.environ.get(VARIABLE, "").strip()
    own = place(folder) / name
    return str(own) if folder and own.is_dir() else ""


def _pictures(samples: FeaturePairs) -> ImagePairs:
    if samples.pictures is None:
        raise ValueError("expected a task that shows its images, got features alone")
    return samples.pictures


def _tensor(part: NDArray[np.float32], device: str) -> Tensor:
    return torch.from_numpy(part).permute(0, 3, 1, 2).to(device)


class Dino(nn.Module):
    """DINOv2's image features: the class token behind the last norm, (N, D).

    Images to 224x224 by bicubic interpolation and ImageNet's mean and deviation, as Stein et al.
    2023 (arXiv 2306.04675) take them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.network = pretrained("DINOv2", "Dinov2Model", folder)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1]."""
        x = functional.interpolate(images, (_SIDE, _SIDE), mode="bicubic", antialias=True)
        mean, std = (torch.tensor(v, device=x.device)[:, None, None] for v in (_MEAN, _STD))
        found: Tensor = self.network((x.clamp(0, 1) - mean) / std).pooler_output
        return found


@lru_cache(maxsize=1)
def _dino(folder: Path, sha256: str, device: str) -> Dino:
    return Dino(folder).to(device)


@dataclass(frozen=True)
class FrechetOnDino:
    """The Frechet distance in DINOv2's features."""

    name: str

    def files(self) -> Mapping[str, Path]:
        """Raises UsageError."""
        folder = given(self.name)
        if not folder:
            return {part: _fetched("DINOv2", s, self.name) for part, s in DINO_FILES.items()}
        return in_folder("DINOv2", DINO_FILES, folder)

    def fetch(self, dry_run: bool, base: str) -> None:
        fetch(DINO_FILES.values(), dry_run, base)

    def __call__(self, samples: FeaturePairs) -> tuple[float, str]:
        """Raises ValueError and UsageError."""
        own, files = _pictures(samples), self.files()
        sha256 = digest(files["network"])
        network = _dino(files["network"].parent, sha256, own.device)

        def features(part: NDArray[np.float32]) -> NDArray[np.float64]:
            with torch.no_grad():
                rows = [
                    network(_tensor(part[k : k + _AT_ONCE], own.device)).double().cpu().numpy()
                    for k in range(0, len(part), _AT_ONCE)
                ]
            return np.concatenate(rows)

        def reals() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            found = np.concatenate([features(part) for part in own.real()])
            return found, found[:0]

        made = features(own.made)
        real, _ = remembered((own.key, sha256, own.device), reals) if own.key else reals()
        how = f"{len(made)} images against {len(real)}, DINOv2 {sha256[:12]}, D = {made.shape[1]}"
        return frechet(made, Moments.of(real)), how


@dataclass(frozen=True)
class Liked:
    """The mean of a registered reward over images and their prompts. reward: its name."""

    reward: str

    def files(self) -> Mapping[str, Path]:
        """Raises UsageError."""
        folder = given(self.reward)
        if not folder:
            for source in self._sources():
                _fetched(self.reward, source, self.reward)
        found: Mapping[str, Path] = REWARDS.get(self.reward).files(folder)
        return found

    def _sources(self) -> tuple[OnHub, ...]:
        found: tuple[OnHub, ...] = REWARDS.get(self.reward).sources()
        return found

    def fetch(self, dry_run: bool, base: str) -> None:
        fetch(self._sources(), dry_run, base)

    def __call__(self, samples: FeaturePairs) -> tuple[float, str]:
        """Raises ValueError and UsageError."""
        own = _pictures(samples)
        if len(own.prompts) != len(own.made):
            raise ValueError("expected images of prompts, got some without")
        kind: Any = REWARDS.get(self.reward)
        files = self.files()
        values = np.zeros(len(own.made))
        for prompt in dict.fromkeys(own.prompts):
            score: Callable[[Tensor], Tensor] = kind(files, prompt, torch.device(own.device))
            mine = np.array([k for k, text in enumerate(own.prompts) if text == prompt])
            for k in range(0, len(mine), _AT_ONCE):
                some = mine[k : k + _AT_ONCE]
                with torch.no_grad():
                    found = score(_tensor(own.made[some], own.device))
                values[some] = found.double().cpu().numpy()
        hashes = " ".join(digest(path)[:12] for path in files.values())
        return float(values.mean()), f"{len(values)} images, files {hashes}"


def _fetched(what: str, source: OnHub, name: str) -> Path:
    found = source.find()
    if found is None:
        raise UsageError(
            f"{what}: {source.place} is missing; get it with `bench fetch --metrics {name}`, or "
            f"put {source.name} into a folder {name} below ${VARIABLE}"
        )
    return found


fd_dinov2 = FrechetOnDino("fd_dinov2")
hpsv2, pick_score, image_reward = Liked("hpsv2"), Liked("pick_score"), Liked("image_reward")
