"""The two small convolutional networks of the embedded preset. Input: (N, 3, 32, 32) in [0, 1]."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from tasks.reward_ft.digits import DIGITS, GROUNDS, INKS

FEATURES = 64


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.SiLU()
    )


class Verdict(NamedTuple):
    """Logits (N, 10), (N, 6), (N, 4), the stroke weight (N,) and the features (N, 64)."""

    digit: Tensor
    ink: Tensor
    ground: Tensor
    weight: Tensor
    features: Tensor


class Judge(nn.Module):
    """Reads digit, colours and stroke weight; its features serve the Frechet distance."""

    # for the held-out measurement alone: no training and no search may see it
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(3, 24, 1), _block(24, 32, 2), _block(32, 48, 2), _block(48, 64, 2), nn.Flatten()
        )
        self.features = nn.Sequential(nn.Linear(64 * 16, FEATURES), nn.SiLU())
        self.digit = nn.Linear(FEATURES, len(DIGITS))
        self.ink = nn.Linear(FEATURES, len(INKS))
        self.ground = nn.Linear(FEATURES, len(GROUNDS))
        self.weight = nn.Linear(FEATURES, 1)

    def forward(self, images: Tensor) -> Verdict:
        f = self.features(self.body(images * 2 - 1))
        return Verdict(self.digit(f), self.ink(f), self.ground(f), self.weight(f)[:, 0], f)


class Quality(nn.Module):
    """A learned quality reward, (N,): high for bold strokes, low for damage."""

    def __init__(self) -> None:
        super().__init__()
        # at half the resolution: on full pixels the gradient lies on the edges of strokes, where
        # guided sampling's linear model holds for a pixel, and lam = 1 moved the reward by 0.1 to
        # 0.3 deviations instead of 0.75
        self.body = nn.Sequential(
            nn.AvgPool2d(2), _block(3, 32, 1), _block(32, 48, 2), _block(48, 64, 2)
        )
        self.head = nn.Linear(64, 1)

    def forward(self, images: Tensor) -> Tensor:
        score: Tensor = self.head(self.body(images * 2 - 1).mean((2, 3)))
        return score[:, 0]
