"""Seeded training of one classifier, on the training split alone."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.files import data
from tasks.noise_schedule.features import Classifier


@dataclass(frozen=True)
class TrainingSettings:
    """rotate: also the shear, in rad.  shift: a part of the image.  zoom: a logarithm.

    clean: share of images that are left in place.  sigma: half of all images get Gaussian noise of
    a standard deviation up to it.  sketch, noise, decorrelate: weights of what the features pay for
    besides: an image that no linear map rebuilds from them, a noise level that cannot be read,
    mutual correlation.
    """

    # cross-entropy alone drives the features of a class together, and a Frechet distance in them
    # would hardly see how a digit is written
    seed: int
    steps: int
    batch: int
    lr: float
    weight_decay: float = 0.02
    sketch: float = 1.0
    noise: float = 0.5
    decorrelate: float = 1.0
    sigma: float = 0.5
    rotate: float = 0.2
    shift: float = 0.08
    zoom: float = 0.12
    clean: float = 0.3


SETTINGS = {
    "digits": TrainingSettings(seed=1797, steps=2000, batch=64, lr=3e-3),
    "mnist": TrainingSettings(seed=60000, steps=5000, batch=128, lr=3e-3),
}


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Weights of convolutions and linear layers as He et al. 2015, biases 0, from one generator."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, generator=rng)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def moved(images: Tensor, s: TrainingSettings, rng: torch.Generator) -> Tensor:
    """Images (N, 1, H, W) in [0, 1], most of them turned, sheared, scaled and shifted."""
    n = len(images)

    def uniform(limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(n, *shape, generator=rng) - 1)

    angle, zoom, shear = uniform(s.rotate), uniform(s.zoom).exp(), uniform(s.rotate)
    shift = uniform(2 * s.shift, 2)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    theta = torch.stack(
        [torch.stack([cos, shear - sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)],
        1,
    )
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    drawn = functional.grid_sample(images, grid, mode="bicubic", align_corners=False).clamp(0, 1)
    keep = torch.rand(n, generator=rng) < s.clean
    return torch.where(keep[:, None, None, None], images, drawn)


def noisy(images: Tensor, s: TrainingSettings, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images with noise, and its standard deviations (N,), of which half are 0."""
    n = len(images)
    sigma = s.sigma * torch.rand(n, generator=rng) * (torch.rand(n, generator=rng) < 0.5)
    return images + sigma[:, None, None, None] * torch.randn(images.shape, generator=rng), sigma


def sketched(images: Tensor) -> Tensor:
    """The pixels to be rebuilt, (N, M): at half the resolution where the image is large."""
    return (functional.avg_pool2d(images, 2) if images.shape[-1] > 8 else images).flatten(1)


def correlation(features: Tensor) -> Tensor:
    """The mean square of the off-diagonal of the correlation matrix."""
    x = features - features.mean(0)
    x = x / x.square().sum(0).clamp(min=1e-6).sqrt()
    return (x.T @ x).fill_diagonal_(0).square().mean()


def train(dataset: str, s: TrainingSettings) -> Classifier:
    """AdamW, 100 steps of warm-up, a cosine to zero. The result depends on no global generator."""
    rng = torch.Generator().manual_seed(s.seed)
    images, labels = data.load(dataset, "train")
    network = Classifier(dataset)
    sketch = nn.Linear(network.digit.in_features, sketched(images[:1]).shape[1])
    level = nn.Linear(network.digit.in_features, 1)
    every = nn.ModuleList([network, sketch, level])
    initialise(every, rng)
    optimizer = torch.optim.AdamW(every.parameters(), lr=s.lr, weight_decay=s.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min(1.0, (k + 1) / 100) * 0.5 * (1 + math.cos(math.pi * k / s.steps))
    )
    order = torch.empty(0, dtype=torch.int64)
    every.train()
    for k in range(1, s.steps + 1):
        if len(order) < s.batch:
            order = torch.randperm(len(images), generator=rng)
        pick, order = order[: s.batch], order[s.batch :]
        clean = moved(images[pick], s, rng) * 2 - 1
        x, sigma = noisy(clean, s, rng)
        f, logits = network(x)
        digit = functional.cross_entropy(logits, labels[pick])
        drawn = functional.mse_loss(sketch(f), sketched(clean))
        heard = functional.mse_loss(level(f)[:, 0], 2 * sigma / s.sigma)
        tied = correlation(f)
        optimizer.zero_grad(set_to_none=True)
        total = digit + s.sketch * drawn + s.noise * heard + s.decorrelate * tied
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if k % 250 == 0:
            say(
                dataset,
                step=k,
                digit=digit.item(),
                sketch=drawn.item(),
                noise=heard.item(),
                correlation=tied.item(),
            )
    return network.eval()


def say(dataset: str, **figures: float) -> None:
    print(
        f"{time.strftime('%H:%M:%S')} {dataset:7s}",
        *(f"{k}={v:.4g}" for k, v in figures.items()),
        flush=True,
    )
