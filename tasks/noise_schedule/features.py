"""The networks of the Frechet distance (features) and of the Inception Score (logits).

Images: (N, 1, H, W) float32 in [-1, 1], the range in which the diffusion model works.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmark.errors import UsageError
from tasks.files.weights import digest, fill
from tasks.measure import inception as pytorch_fid

ASSETS = Path(__file__).parent / "assets"
MANIFEST = "manifest.json"
INCEPTION_DIM = pytorch_fid.DIM
DIGITS = 10


class Features(NamedTuple):
    """features: (N, D), the layer below the last.  logits: (N, classes)."""

    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Shape:
    """side: pixels of the image.  dim: D.  blocks: (channels, kernel, stride) of convolutions."""

    side: int
    dim: int
    blocks: tuple[tuple[int, int, int], ...]


SHAPES = {
    "digits": Shape(8, 32, ((32, 3, 1), (48, 3, 2), (64, 3, 1))),
    "mnist": Shape(28, 64, ((16, 5, 2), (32, 3, 1), (48, 3, 2), (64, 3, 1), (96, 3, 2))),
}


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


def manifest(folder: Path) -> dict[str, Any]:
    """The shipped files by name, each with its `sha256` and settings. Raises UsageError."""
    path = folder / MANIFEST
    try:
        return {str(k): dict(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(
            f"weights: expected the list of hashes {path}; {error}; reinstall the package"
        ) from error


@lru_cache(maxsize=8)
def _classifier(folder: Path, dataset: str, device: str) -> Extractor:
    name = f"{dataset}.safetensors"
    path, expected = folder / name, str(manifest(folder).get(name, {}).get("sha256", "none listed"))
    if not path.is_file():
        raise UsageError(
            f"weights: {path} is missing (expected SHA-256 {expected}); reinstall the package"
        )
    if (found := digest(path)) != expected:
        raise UsageError(
            f"weights: {path} was altered: expected SHA-256 {expected}, got {found}; reinstall "
            "the package"
        )
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
    network = pytorch_fid.network(path, device)

    def seen(images: Tensor) -> Features:
        return Features(*network((images + 1).expand(-1, 3, -1, -1) / 2))

    return Extractor(
        "pytorch-fid Inception",
        digest(path),
        "bilinear to 299x299, 3 equal channels",
        INCEPTION_DIM,
        seen,
    )


def fingerprint(dataset: str, features: str) -> dict[str, str]:
    """SHA-256 by file name of the networks that measure. Raises UsageError."""
    # the classifier counts always: the Inception Score needs its logits
    hashes = {f"{dataset}.safetensors": classifier(dataset, "cpu").sha256}
    if features == "inception":
        path = pytorch_fid.file()
        hashes[path.name] = digest(path)
    return hashes
