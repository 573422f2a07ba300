"""Features of pytorch-fid's network: of images, and of the pictures of a reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UsageError
from tasks.files.weights import digest, place
from tasks.measure.frechet import Matrix, Moments
from tasks.measure.inception_network import network
from tasks.reward_ft.pictures import pictures, pixels
from tasks.reward_ft.references import statistics

RESIZE = "pytorch-fid's, bilinear to 299x299, of 8-bit images"
_AT_ONCE = 16


class InceptionFeatures:
    """Images (N, 3, H, W) in [0, 1] to features (N, 2048), float32."""

    def __init__(self, path: Path, device: str) -> None:
        self._network, self._device = network(path, device), device
        self.name = f"Inception of pytorch-fid {digest(path)[:12]}"

    def __call__(self, images: Tensor) -> Matrix:
        # to 8 bits, as the pictures of a reference folder are
        rounded = (images.clamp(0, 1) * 255).round() / 255
        with torch.no_grad():
            parts = [
                self._network(part.to(self._device)).features.cpu().numpy()
                for part in torch.split(rounded, _AT_ONCE)
            ]
        features: Matrix = np.concatenate(parts)
        return features


@lru_cache(maxsize=2)
def moments(reference: str, extractor: InceptionFeatures) -> Moments:
    """The statistics of a folder of pictures, or of a file. Raises UsageError."""
    path = place(reference)
    return Moments.of(_features(pictures(path), extractor)) if path.is_dir() else statistics(path)


def _features(paths: Sequence[Path], extractor: InceptionFeatures) -> Matrix:
    """(N, 2048)."""
    return np.concatenate([extractor(_image(path)) for path in paths])


def _image(path: Path) -> Tensor:
    """(1, 3, H, W) in [0, 1]: one by one, for pictures may differ in size."""
    return torch.from_numpy(pixels(path)).permute(2, 0, 1)[None] / 255


def images(reference: str) -> Iterator[Tensor]:
    """The pictures of a folder, (1, 3, H, W) each. Raises UsageError for a file of statistics."""
    path = place(reference)
    if not path.is_dir():
        raise UsageError(
            f"reference {reference!r}: expected a folder of pictures, got a file of statistics, "
            "which the Frechet distance alone can be measured to"
        )
    yield from map(_image, pictures(path))
