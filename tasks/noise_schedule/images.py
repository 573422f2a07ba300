"""The images of noise_schedule, and the hashes of what decides them and their measurement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from tasks.files import data
from tasks.noise_schedule import features
from tasks.samplers.protocol import sampler_source

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule


def fingerprint(options: NoiseSchedule) -> Mapping[str, str]:
    """Hashes of the data, of the networks that measure, and of a plug-in's sampler."""
    found = features.fingerprint(options.data, options.features)
    if options.data == "mnist":
        found |= data.mnist_fingerprint()
    elif options.train_images:
        found["order of train_images"] = hashlib.sha256(
            _order().numpy().astype("<i8").tobytes()
        ).hexdigest()
    return found | sampler_source(options.sampler)


def _order() -> Tensor:
    """Of the digits' training images, where a part of them is taken; (N,) int64."""
    # they lie sorted by digit, unlike MNIST's, so the first few would be zeros alone
    return data.spread(data.thirds("train")[1])


def images(options: NoiseSchedule, split: data.Split) -> Tensor:
    """(N, 1, H, W) in [-1, 1]."""
    pixels, _ = data.load(options.data, split)
    if split == "train" and options.train_images:
        ordered = pixels[_order()] if options.data == "digits" else pixels
        pixels = ordered[: options.train_images]
    return pixels * 2 - 1
