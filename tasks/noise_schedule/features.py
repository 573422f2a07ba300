"""The networks whose features serve the Frechet distance, and whose logits serve the Inception Score.

Images: (N, 1, H, W) float32 in [-1, 1], the range in which the diffusion model works.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError
from tasks import idx

ASSETS = Path(__file__).parent / "assets"
MANIFEST = "manifest.json"
INCEPTION = "pt_inception-2015-12-05-6726825d"
INCEPTION_DIM = 2048
DIGITS = 10


class Features(NamedTuple):
    """features: (N, D), the layer below the last.  logits: (N, classes)."""

    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Shape:
    """side: of the image, in pixels.  dim: D.  blocks: (channels, kernel, stride) of each convolution."""

    side: int
    dim: int
    blocks: tuple[tuple[int, int, int], ...]


SHAPES = {
    "digits": Shape(8, 32, ((32, 3, 1), (48, 3, 2), (64, 3, 1))),
    "mnist": Shape(28, 64, ((16, 5, 2), (32, 3, 1), (48, 3, 2), (64, 3, 1), (96, 3, 2))),
}


class Classifier(nn.Module):
    """A small convolutional network for one data set, `digits` (D = 32) or `mnist` (D = 64).

    Batch norm, which is affine once trained: a norm over each image would hide its contrast from the features.
    """

    def __init__(self, dataset: str) -> None:
        super().__init__()
        shape = SHAPES[dataset]
        layers: list[nn.Module] = []
        inputs, side = 1, shape.side
        for outputs, kernel, stride in shape.blocks:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.SiLU()]
            inputs, side = outputs, -(-side // stride)
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.features = nn.Sequential(nn.Linear(inputs * side**2, shape.dim), nn.BatchNorm1d(shape.dim), nn.SiLU())
        self.digit = nn.Linear(shape.dim, DIGITS)

    def forward(self, images: Tensor) -> Features:
        f = self.features(self.body(images))
        return Features(f, self.digit(f))


class Inception(nn.Module):
    """pytorch-fid's InceptionV3 (the graph of the first FID code), built without its download of weights.

    features: the 2048 of the last pooling.  logits: (N, 1008), of ImageNet: they know no digits.
    """

    def __init__(self) -> None:
        super().__init__()
        from pytorch_fid import inception as fid
        from torchvision.models import inception_v3

        net = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
        net.Mixed_5b = fid.FIDInceptionA(192, pool_features=32)
        net.Mixed_5c = fid.FIDInceptionA(256, pool_features=64)
        net.Mixed_5d = fid.FIDInceptionA(288, pool_features=64)
        net.Mixed_6b = fid.FIDInceptionC(768, channels_7x7=128)
        net.Mixed_6c = fid.FIDInceptionC(768, channels_7x7=160)
        net.Mixed_6d = fid.FIDInceptionC(768, channels_7x7=160)
        net.Mixed_6e = fid.FIDInceptionC(768, channels_7x7=192)
        net.Mixed_7b = fid.FIDInceptionE_1(1280)
        net.Mixed_7c = fid.FIDInceptionE_2(2048)
        self.fc, net.fc = net.fc, nn.Identity()
        self.pooled = net

    def forward(self, images: Tensor) -> Features:
        large = functional.interpolate((images + 1) / 2, size=(299, 299), mode="bilinear", align_corners=False)
        f = self.pooled(2 * large.expand(-1, 3, -1, -1) - 1)
        return Features(f, self.fc(f))


@dataclass(frozen=True)
class Extractor:
    """A frozen network, differentiable by the images.  sha256: of its weights.  resize: what it does to the images."""

    name: str
    sha256: str
    resize: str
    dim: int
    network: Callable[[Tensor], Features] = field(repr=False)

    def __call__(self, images: Tensor) -> Features:
        return self.network(images)


def manifest(folder: Path) -> dict[str, Any]:
    """What is shipped, by file: its `sha256` and how it was made. Raises UsageError."""
    path = folder / MANIFEST
    try:
        return {str(k): dict(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"weights: expected the list of hashes {path}; {error}; reinstall the package") from error


def _frozen(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], path: Path, device: str) -> Any:
    """The network with these weights, as float32. On the meta device first: no random initialisation, so no draw."""
    with torch.device("meta"):
        network = make()
    try:
        network.load_state_dict({k: v.float() for k, v in weights.items()}, assign=True)
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise UsageError(f"weights: {path} does not hold the network that was expected; {line}") from error
    return network.to(device).eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"weights: expected a safetensors file, got {path}; {error}") from error


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"weights: expected a file that can be read, got {path}; {error}") from error


@lru_cache(maxsize=8)
def _classifier(folder: Path, dataset: str, device: str) -> Extractor:
    name = f"{dataset}.safetensors"
    path, expected = folder / name, str(manifest(folder).get(name, {}).get("sha256", "none listed"))
    if not path.is_file():
        raise UsageError(f"weights: {path} is missing (expected SHA-256 {expected}); reinstall the package")
    if (found := _hash(path)) != expected:
        raise UsageError(
            f"weights: {path} was altered: expected SHA-256 {expected}, got {found}; reinstall the package"
        )
    shape = SHAPES[dataset]
    network = _frozen(lambda: Classifier(dataset), _read(path), path, device)
    return Extractor(f"{dataset} classifier", found, f"none, {shape.side}x{shape.side}", shape.dim, network)


def classifier(dataset: str, device: str, folder: Path = ASSETS) -> Extractor:
    """The shipped classifier of `digits` or `mnist`. Raises UsageError where its file is missing or altered."""
    return _classifier(folder, dataset, device)


def _inception_path() -> Path:
    """Where the Inception weights lie. Raises UsageError with the command that converts pytorch-fid's own file."""
    data = os.environ.get(idx.VARIABLE)
    folders = [*([Path(data)] if data else []), Path(torch.hub.get_dir()) / "checkpoints"]
    for folder in folders:
        if os.path.isfile(path := folder / f"{INCEPTION}.safetensors"):  # unlike Path.is_file never an OSError
            return path
    original = next((p for f in folders if os.path.isfile(p := f / f"{INCEPTION}.pth")), None)
    source, target = original or Path(f"{INCEPTION}.pth"), folders[0] / f"{INCEPTION}.safetensors"
    raise UsageError(
        f"Inception features: expected weights at {' or '.join(str(f / target.name) for f in folders)}, got "
        f"{original or 'nothing'}; {'' if original else f'fetch the release file {INCEPTION}.pth of pytorch-fid and '}"
        'convert it: python -c "from torch import load; from safetensors.torch import save_file; save_file({k: '
        f"v.contiguous() for k, v in load(r'{source}', weights_only=True).items()}}, r'{target}')\""
    )


@lru_cache(maxsize=2)
def _inception(path: Path, device: str) -> Extractor:
    weights = {k if k.startswith("fc.") else f"pooled.{k}": v for k, v in _read(path).items()}
    network = _frozen(Inception, weights, path, device)
    return Extractor(
        "pytorch-fid Inception", _hash(path), "bilinear to 299x299, 3 equal channels", INCEPTION_DIM, network
    )


def inception(device: str) -> Extractor:
    """pytorch-fid's network, from a local file alone. Raises UsageError where there is none or it holds another."""
    return _inception(_inception_path(), device)


def fingerprint(dataset: str, features: str) -> dict[str, str]:
    """SHA-256 by file name of the data's classifier, which always reads the digits, and with `inception` of its weights.

    Raises UsageError.
    """
    found = {f"{dataset}.safetensors": classifier(dataset, "cpu").sha256}
    if features == "inception":
        path = _inception_path()
        found[path.name] = _hash(path)
    return found
