"""The images that tasks train and measure on: scikit-learn's digits, and MNIST from a folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tasks.files import idx

Split = Literal["train", "validation", "test"]


@cache
def digits(split: Split) -> tuple[Tensor, Tensor]:
    """The scans of one split, (N, 1, 8, 8) float32 in [0, 1], and their digits, (N,) int64.

    1,197 scans to train, 300 to validation and 300 to test.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    # seeds here are fixed for good: stored results and the shipped networks rest on these splits
    order = np.random.default_rng(1797).permutation(len(data.target))
    part = {"train": order[:1197], "validation": order[1197:1497], "test": order[1497:]}[split]
    images = torch.from_numpy(data.images[part]).float().unsqueeze(1) / 16
    return images, torch.from_numpy(data.target[part]).long()


@cache
def thirds(split: Split) -> tuple[Tensor, Tensor]:
    """As `digits`, but in three equal parts of 599 scans with the same share of every digit."""
    # for distances between sets of scans: with 300 to a split, validation and test were as far
    # apart (0.97) as a trained model was from either; here it is 0.22
    parts = [digits(name) for name in ("train", "validation", "test")]
    images, labels = (torch.cat(columns) for columns in zip(*parts, strict=True))
    dealt = torch.argsort(labels, stable=True)[{"train": 0, "validation": 1, "test": 2}[split] :: 3]
    return images[dealt], labels[dealt]


def spread(labels: Tensor) -> Tensor:
    """A fixed order of labels (N,) whose every prefix holds each class in proportion; (N,) int64.

    Within a class at random; image r of a class with n stands at (r + 1/2)/n of the whole.
    """
    rng = np.random.default_rng(599)
    place = torch.empty(len(labels), dtype=torch.float64)
    for value in range(int(labels.max()) + 1):
        (mine,) = torch.where(labels == value)
        ranks = torch.from_numpy(rng.permutation(len(mine)))
        place[mine] = (ranks.double() + 0.5) / len(mine)
    return torch.argsort(place, stable=True)


def mnist(split: Split) -> tuple[Tensor, Tensor]:
    """The images of one split, (N, 1, 28, 28) float32 in [0, 1], and their digits, (N,) int64.

    A fixed permutation of the 60,000 training images gives 50,000 to train and 10,000 to
    validation; test is t10k. Raises UsageError where the files are missing or not MNIST's.
    """
    return _mnist(idx.root(), split)


def load(name: str, split: Split) -> tuple[Tensor, Tensor]:
    """The `digits`, in thirds, or `mnist`: images (N, 1, H, W) in [0, 1] and labels (N,)."""
    return mnist(split) if name == "mnist" else thirds(split)


@cache
def _mnist(base: Path, split: Split) -> tuple[Tensor, Tensor]:
    source = {"train": "train", "validation": "train", "test": "t10k"}[split]
    images, labels = (
        idx.read(base, f"{source}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")
    )
    order = np.random.default_rng(60000).permutation(len(labels))
    count = len(order) * 5 // 6
    parts = {"train": order[:count], "validation": order[count:], "test": np.arange(len(labels))}
    part = parts[split]
    pixels = torch.from_numpy(images[part]).float().unsqueeze(1) / 255
    return pixels, torch.from_numpy(labels[part]).long()
