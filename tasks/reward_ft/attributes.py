"""Rewards that need no network: what one sees in any picture. They conflict with each other and,
pushed far, with every prompt.

Each is shifted and scaled by the mean and the deviation over 1,024 unguided images of each of the
embedded preset's three prompts (`python -m tasks.reward_ft.recipe.scales`), so that there a lam
means the same for all; on another model they are as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tasks.files.download import Source

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def _light(images: Tensor) -> Tensor:
    """(N, H, W)."""
    import torch

    return torch.einsum("nchw,c->nhw", images, images.new_tensor(_LUMINANCE))


class Attribute:
    """A reward that is a formula. mean, deviation: of `score` over the embedded preset's images."""

    mean: ClassVar[float]
    deviation: ClassVar[float]

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return ()

    @classmethod
    def files(cls, given: str) -> Mapping[str, Path]:
        return {}

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        """Nothing is loaded, and every prompt is the same."""

    def __call__(self, images: Tensor) -> Tensor:
        return (self.score(images) - self.mean) / self.deviation

    @staticmethod
    def score(images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N,)."""
        raise NotImplementedError


class Bright(Attribute):
    """Mean luminance."""

    mean, deviation = 0.711, 0.02966

    @staticmethod
    def score(images: Tensor) -> Tensor:
        return _light(images).mean((1, 2))


class Dark(Bright):
    """The opposite of `bright`."""

    def __call__(self, images: Tensor) -> Tensor:
        return -super().__call__(images)


class Warm(Attribute):
    """More red than blue."""

    mean, deviation = 0.1278, 0.05112

    @staticmethod
    def score(images: Tensor) -> Tensor:
        return (images[:, 0] - images[:, 2]).mean((1, 2))


class Cool(Warm):
    """The opposite of `warm`."""

    def __call__(self, images: Tensor) -> Tensor:
        return -super().__call__(images)


class Vivid(Attribute):
    """Colours far from grey: the largest channel less the smallest."""

    mean, deviation = 0.2817, 0.02819

    @staticmethod
    def score(images: Tensor) -> Tensor:
        return (images.amax(1) - images.amin(1)).mean((1, 2))


class Contrast(Attribute):
    """The deviation of the luminance."""

    mean, deviation = 0.1897, 0.01907

    @staticmethod
    def score(images: Tensor) -> Tensor:
        return _light(images).flatten(1).std(1)


class Sharp(Attribute):
    """Mean total variation: the opposite of what compresses well."""

    mean, deviation = 0.07748, 0.005673

    @staticmethod
    def score(images: Tensor) -> Tensor:
        return sum(images.diff(dim=d).abs().mean((1, 2, 3)) for d in (2, 3))  # type: ignore[return-value]


class Smooth(Sharp):
    """The opposite of `sharp`: what compresses well."""

    def __call__(self, images: Tensor) -> Tensor:
        return -super().__call__(images)
