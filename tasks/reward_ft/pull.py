"""What a pass of guided sampling is pulled by: a reward, or its linear model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Reward = Callable[[Tensor], Tensor]
"""Images (N, 3, H, W) to rewards (N,); image i decides reward i."""


def one_each(rewards: Tensor, count: int) -> Tensor:
    """Raises ValueError for rewards that are not one number an image."""
    if rewards.shape != (count,):
        raise ValueError(
            f"a reward gives one number an image: expected shape ({count},), got "
            f"{tuple(rewards.shape)}"
        )
    return rewards


@dataclass(frozen=True)
class Linear:
    """r(x) ~ <g, x> + b about each image of the last pass. g: (N, 3, H, W); b: (N,)."""

    g: Tensor
    b: Tensor

    @classmethod
    def at(cls, reward: Reward, images: Tensor) -> Linear:
        with torch.enable_grad():
            x = images.detach().requires_grad_()
            r = one_each(reward(x), len(x))
            (g,) = torch.autograd.grad(r.sum(), x)
        return cls(g, (r - (g * x).sum((1, 2, 3))).detach())

    def to(self, device: torch.device) -> Linear:
        return Linear(self.g.to(device), self.b.to(device))

    def __call__(self, x: Tensor) -> Tensor:
        return (self.g * x).sum((1, 2, 3)) + self.b

    @classmethod
    def over(cls, reward: Reward, images: Tensor, micro_batch: int, device: torch.device) -> Linear:
        """As `at`, `micro_batch` images at a time on the device; the result is where they are."""
        parts = [
            cls.at(reward, part.to(device)).to(images.device)
            for part in torch.split(images, micro_batch)
        ]
        return cls(torch.cat([p.g for p in parts]), torch.cat([p.b for p in parts]))

    def part(self, chosen: slice) -> Linear:
        return Linear(self.g[chosen], self.b[chosen])


@dataclass(frozen=True)
class Direct:
    """The reward itself, at the look-ahead image of each step."""

    reward: Reward

    def __call__(self, x: Tensor) -> Tensor:
        return one_each(self.reward(x), len(x))

    def to(self, device: torch.device) -> Direct:
        return self

    def part(self, chosen: slice) -> Direct:
        return self


Pull = Linear | Direct
"""What a pass is guided by."""
