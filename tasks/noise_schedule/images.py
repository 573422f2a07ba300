"""The images of noise_schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from tasks.files import data

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule


def order() -> Tensor:
    """Of the digits' training images, where a part of them is taken; (N,) int64."""
    # they lie sorted by digit, unlike MNIST's, so the first few would be zeros alone
    return data.spread(data.thirds("train")[1])


def images(options: NoiseSchedule, split: data.Split) -> Tensor:
    """(N, 1, H, W) in [-1, 1]."""
    pixels, _ = data.load(options.data, split)
    if split == "train" and options.train_images:
        ordered = pixels[order()] if options.data == "digits" else pixels
        pixels = ordered[: options.train_images]
    return pixels * 2 - 1
