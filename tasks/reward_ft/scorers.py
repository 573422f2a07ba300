"""What rewards are made of: a cosine, a random head, and a score that is made a standard one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Tokenize = Callable[[list[str]], Tensor]


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
