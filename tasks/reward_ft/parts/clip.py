"""r1, the upper reward: the cosine of image and prompt in an open_clip model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.files.weights import OnHub, place
from tasks.reward_ft import clips, shipped

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.reward_ft.scorers import ClipCosine

_OPTION = "reward_ft.clip"


@dataclass(frozen=True)
class ClipPart:
    """name: open_clip's NAME/WEIGHTS, a folder, or "" for the shipped model below `assets`."""

    name: str
    assets: Path

    @property
    def shipped(self) -> bool:
        return not self.name

    @property
    def title(self) -> str:
        """For a passport."""
        if self.shipped:
            file = "clip/open_clip_model.safetensors"
            return f"digits-vit {shipped.manifest(self.assets)[file][:12]}"
        return self.name

    def check(self) -> None:
        """Nothing: `files` and `sources` both refuse a name that open_clip does not have."""

    def files(self) -> Mapping[str, Path]:
        found = {} if self.shipped else clips.files(self.name, _OPTION)
        return {f"clip/{name}": path for name, path in found.items()}

    def digests(self) -> Mapping[str, str]:
        return {}

    def sources(self) -> Iterable[OnHub]:
        if not self.shipped and not os.path.isdir(place(self.name)):
            yield clips.source(self.name)

    def load(self, prompt: str, device: str) -> Callable[[Tensor], Tensor]:
        """Images (N, 3, H, W) in [0, 1] to (N,) in [-1, 1]. Raises UsageError."""
        return self.network(device).of(prompt)

    def network(self, device: str) -> ClipCosine:
        """For any prompt. Raises UsageError."""
        if not self.shipped:
            return _load(self.name, device)
        from tasks.reward_ft import embedded

        return embedded.clip(self.assets, device)


@lru_cache(maxsize=1)
def _load(name: str, device: str) -> ClipCosine:
    import torch

    from tasks.reward_ft.scorers import ClipCosine

    model, tokenize = clips.load(name, _OPTION)
    return ClipCosine(model, tokenize, torch.device(device))
