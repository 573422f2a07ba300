"""Images beside real ones, in the features that other metrics than FID need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmark.protocol import FeaturePairs
from tasks.measure.frechet import Matrix
from tasks.measure.pictures import pictures
from tasks.measure.remembered import remembered
from tasks.reward_ft.measuring import Compared
from tasks.reward_ft.parts.clip import ClipPart

_AT_ONCE = 64


@dataclass(frozen=True)
class Comparison:
    """judge: of the Frechet distance.  clip: the model of r1."""

    judge: Compared
    clip: ClipPart
    device: str

    def __call__(
        self, images: Tensor, sample: Callable[[int], Tensor], prompt: str
    ) -> FeaturePairs:
        """images: (N, 3, H, W) in [0, 1].  sample: so many unguided ones. Raises UsageError."""
        network = self.clip.network(self.device)

        def embed(part: Tensor) -> Matrix:
            with torch.no_grad():
                found = [network.embed(p.to(self.device)) for p in torch.split(part, _AT_ONCE)]
            return torch.cat(found).double().cpu().numpy()

        def real() -> tuple[Matrix, Matrix]:
            parts = [(self.judge.features(p), embed(p)) for p in self.judge.real(sample)]
            first, second = (np.concatenate(own) for own in zip(*parts, strict=True))
            return first, second

        names = {"frechet": self.judge.name, "clip": self.clip.title}
        made = {"frechet": self.judge.features(images), "clip": embed(images)}
        key = (self.judge.key, *names.values(), self.device)
        both = remembered(key, real) if self.judge.key else real()
        own = self.judge.key and f"{self.judge.name} {self.judge.key}"
        texts = [prompt] * len(images)
        seen = pictures(images, lambda: self.judge.real(sample), own, texts, self.device)
        return FeaturePairs(made, dict(zip(("frechet", "clip"), both, strict=True)), names, seen)
