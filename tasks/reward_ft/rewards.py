"""Rewards: differentiable functions of images (N, 3, H, W) in [0, 1], frozen, one number an image.

`register_reward("name")` on a class in a plug-in makes `--set reward_ft.reward=name` work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError, one_line, suggest
from benchmark.registry import REWARDS, register_reward
from tasks.files.download import Source

__all__ = ["ClipCosine", "RandomHead", "Reward", "Standardised", "register_reward"]
Tokenize = Callable[[list[str]], Tensor]


class Reward(Protocol):
    """A reward for one prompt. given: the option reward_weights; files: what `files` returned."""

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        """What `bench fetch` downloads for it; () for nothing."""

    @classmethod
    def files(cls, given: str) -> Mapping[str, Path]:
        """The files that decide the numbers, by name; they are hashed. Raises UsageError."""

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None: ...
    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N,), differentiable; image i decides reward i."""


def reward_kind(name: str) -> type[Reward]:
    """The class of a registered reward. Raises UsageError."""
    if name not in REWARDS:
        raise UsageError(
            f"option reward_ft.reward or reward_ft.rewards: unknown reward {name!r}"
            f"{suggest(name, REWARDS.known())}; "
            f"known: {', '.join(REWARDS.known())}"
        )
    found: type[Reward] = REWARDS.get(name)
    return found


def reward_files(name: str, given: str) -> dict[str, Path]:
    """The files of a reward, by name. Raises UsageError, also where a plug-in's `files` fails."""
    try:
        return {str(key): Path(path) for key, path in reward_kind(name).files(given).items()}
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"reward {name!r}: its `files` failed: {one_line(f'{type(error).__name__}: {error}')}"
        ) from error


def reward_source(name: str) -> dict[str, str]:
    """SHA-256 by name of what decides a reward besides its files.

    Of a built-in its own digests; of a plug-in its code, with the modules beside it.
    """
    # a built-in reward's code is in the hash of the task's
    if REWARDS.complete()[name].built_in:
        return dict(getattr(reward_kind(name), "digests", dict)())
    return {f"reward {name}": REWARDS.code(name)}


class ClipCosine:
    """r1: the cosine of image and prompt in an open_clip model, in [-1, 1].

    Differentiable preprocessing: antialiased bicubic resize to the model's size, mean, deviation.
    """

    def __init__(self, model: Any, tokenize: Tokenize, device: torch.device) -> None:
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenize, self.device = tokenize, device
        size = model.visual.image_size
        self._size = size if isinstance(size, tuple) else (size, size)
        mean, std = (
            torch.tensor(v, device=device)[:, None, None]
            for v in (model.visual.image_mean, model.visual.image_std)
        )
        self._mean, self._std = mean, std

    def prepare(self, images: Tensor) -> Tensor:
        """What the model's image tower takes, (N, 3, h, w)."""
        if tuple(images.shape[-2:]) != self._size:
            images = functional.interpolate(images, self._size, mode="bicubic", antialias=True)
        return (images - self._mean) / self._std

    def of(self, prompt: str) -> Callable[[Tensor], Tensor]:
        """The reward for one prompt, whose embedding is computed once."""
        with torch.no_grad():
            text = self._model.encode_text(
                self._tokenize([prompt]).to(self.device), normalize=True
            )[0]
        return lambda images: self.embed(images) @ text

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings of length 1, (N, width)."""
        embeddings: Tensor = self._model.encode_image(self.prepare(images), normalize=True)
        return embeddings

    @property
    def width(self) -> int:
        return int(self._model.visual.output_dim)


@dataclass(frozen=True)
class Standardised:
    """r2: a network's score, shifted and scaled by two frozen constants."""

    # in deviations of p_data, so that lam means the same for every prompt
    score: Callable[[Tensor], Tensor]
    mean: float
    std: float

    def __call__(self, images: Tensor) -> Tensor:
        return (self.score(images) - self.mean) / self.std


class RandomHead(nn.Module):
    """The paper's kind of lower reward: a seeded random scalar head on a trained network; (N,)."""

    def __init__(self, body: Callable[[Tensor], Tensor], width: int, seed: int) -> None:
        super().__init__()
        self._body = body
        head = torch.randn(width, generator=torch.Generator().manual_seed(seed)) / width**0.5
        self.head: Tensor
        self.register_buffer("head", head)

    def forward(self, images: Tensor) -> Tensor:
        score: Tensor = self._body(images) @ self.head
        return score
