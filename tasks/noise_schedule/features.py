"""The networks of the Frechet distance (features) and of the Inception Score (logits).

Images: (N, 1, H, W) float32 in [-1, 1], the range in which the diffusion model works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tasks.files.tensors import fill
from tasks.files.weights import digest
from tasks.measure import inception as pytorch_fid
from tasks.measure.inception_network import network as pytorch_fid_network
from tasks.noise_schedule.shipped import ASSETS, SHAPES, file

DIGITS = 10


class Features(NamedTuple):
    """features: (N, D), the layer below the last.  logits: (N, classes)."""

    features: Tensor
    logits: Tensor


class Classifier(nn.Module):
    """A small convolutional network for one data set, `digits` (D = 32) or `mnist` (D = 64)."""

    def __init__(self, dataset: str) -> None:
        super().__init__()
        shape = SHAPES[dataset]
        # batch norm is affine once trained; a norm over each image would hide its contrast
        layers: list[nn.Module] = []
        inputs, side = 1, shape.side
        for outputs, kernel, stride in shape.blocks:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.SiLU()]
            inputs, side = outputs, -(-side // stride)
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.features = nn.Sequential(
            nn.Linear(inputs * side**2, shape.dim), nn.BatchNorm1d(shape.dim), nn.SiLU()
        )
        self.digit = nn.Linear(shape.dim, DIGITS)

    def forward(self, images: Tensor) -> Features:
        f = self.features(self.body(images))
        return Features(f, self.digit(f))


@dataclass(frozen=True)
class Extractor:
    """A frozen network, differentiable in the images. sha256: of its weights; resize: in words."""

    name: str
    sha256: str
    resize: str
    dim: int
    network: Callable[[Tensor], Features] = field(repr=False)

    def __call__(self, images: Tensor) -> Features:
        return self.network(images)


@lru_cache(maxsize=8)
def _classifier(folder: Path, dataset: str, device: str) -> Extractor:
    path, found = file(dataset, folder)
    shape = SHAPES[dataset]
    with torch.device("meta"):  # no random initialisation, so no draw
        network = Classifier(dataset)
    fill("weights", network, path)
    network.to(device).eval().requires_grad_(False)
    return Extractor(
        f"{dataset} classifier", found, f"none, {shape.side}x{shape.side}", shape.dim, network
    )


def classifier(dataset: str, device: str, folder: Path = ASSETS) -> Extractor:
    """The shipped classifier of `digits` or `mnist`. Raises UsageError for an unfit file."""
    return _classifier(folder, dataset, device)


def inception(device: str) -> Extractor:
    """pytorch-fid's network, from a local file. Raises UsageError for a missing or unfit one."""
    path = pytorch_fid.file()
    network = pytorch_fid_network(path, device)

    def seen(images: Tensor) -> Features:
        return Features(*network((images + 1).expand(-1, 3, -1, -1) / 2))

    return Extractor(
        "pytorch-fid Inception",
        digest(path),
        "bilinear to 299x299, 3 equal channels",
        pytorch_fid.DIM,
        seen,
    )
