"""pytorch-fid's InceptionV3 from a local file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.files.tensors import fill
from tasks.files.weights import digest

SIDE = 299


class Seen(NamedTuple):
    """features: (N, 2048), of the last pooling.  logits: (N, 1008), of ImageNet."""

    features: Tensor
    logits: Tensor


def architecture() -> Any:
    """torchvision's network with pytorch-fid's blocks and the parameter names of its file."""
    from pytorch_fid import inception as fid
    from torchvision.models import inception_v3

    # built from its blocks: pytorch-fid's own constructor downloads and unpickles
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
    return net


class Inception(nn.Module):
    """Images (N, 3, H, W) in [0, 1], resized as pytorch-fid does it; differentiable."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        # one pass then gives the pooled features and, from them, the logits
        self.fc, net.fc = net.fc, nn.Identity()
        self.pooled = net

    def forward(self, images: Tensor) -> Seen:
        large = functional.interpolate(
            images, size=(SIDE, SIDE), mode="bilinear", align_corners=False
        )
        features = self.pooled(2 * large - 1)
        return Seen(features, self.fc(features))


@lru_cache(maxsize=1)
def _network(path: Path, device: str, sha256: str) -> Inception:
    with torch.device("meta"):  # no random initialisation, so no draw
        net = architecture()
    fill("Inception", net, path)
    return Inception(net).to(device).eval().requires_grad_(False)


def network(path: Path, device: str) -> Inception:
    """Frozen. Raises UsageError where the file holds another network."""
    return _network(path, device, digest(path))
