"""The model card's figures, as Markdown.

    python -m tasks.noise_schedule.recipe.evaluate [FOLDER] [--dataset digits|mnist]

MNIST is read from the folder BENCH_DATA_DIR.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional

from tasks.files import data
from tasks.measure.frechet import Moments, frechet
from tasks.measure.scores import inception_score
from tasks.noise_schedule.features import Extractor, Features, classifier
from tasks.noise_schedule.shipped import ASSETS, SHAPES


def seen(extractor: Extractor, images: Tensor) -> Features:
    """Features of images in [-1, 1], in parts of 1,000."""
    with torch.no_grad():
        parts = [extractor(x) for x in torch.split(images, 1000)]
    return Features(torch.cat([p.features for p in parts]), torch.cat([p.logits for p in parts]))


def split(dataset: str, name: data.Split) -> tuple[Tensor, Tensor]:
    """Images in [-1, 1], as the diffusion model sees them, and labels."""
    images, labels = data.load(dataset, name)
    return images * 2 - 1, labels


def right(extractor: Extractor, dataset: str, name: data.Split) -> Tensor:
    """Whether each image of the split is read right, (N,) bool."""
    images, labels = split(dataset, name)
    return seen(extractor, images).logits.argmax(1) == labels


def worse(images: Tensor, labels: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The images, changed in ways that a bad sampler knows."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(7))
    for sigma in (0.05, 0.1, 0.2, 0.4, 0.8):
        yield f"noise of sigma {sigma:g}", images + sigma * noise
    for ink in (0.9, 0.7):
        yield f"ink at {ink:.0%}", (images + 1) * ink - 1
    yield "mirrored", images.flip(3)
    yield "digits 0 to 4 alone", images[labels < 5]


def accuracies(extractor: Extractor, dataset: str) -> Iterator[str]:
    for name in get_args(data.Split):
        images, labels = split(dataset, name)
        logits = seen(extractor, images).logits
        correct, n = int((logits.argmax(1) == labels).sum()), len(labels)
        low, high = binomtest(correct, n).proportion_ci(0.95)
        nll = functional.cross_entropy(logits, labels)
        score = inception_score(logits.numpy())
        yield (
            f"| {dataset} | {name} | {correct / n:.4f} [{low:.4f}, {high:.4f}] | {n} | "
            f"{nll:.4f} | {score:.3f} |"
        )


def distances(extractor: Extractor, dataset: str) -> Iterator[str]:
    def features(images: Tensor) -> np.ndarray:
        return seen(extractor, images).features.numpy()

    images, labels = split(dataset, "test")
    test, validation = Moments.of(features(images)), features(split(dataset, "validation")[0])
    train = features(split(dataset, "train")[0])
    yield f"| {dataset} | train to validation | {frechet(train, Moments.of(validation)):.4f} |"
    yield f"| {dataset} | validation to test | {frechet(validation, test):.4f} |"
    for what, changed in worse(images, labels):
        yield f"| {dataset} | test, {what}, to test | {frechet(features(changed), test):.4f} |"


def spectrum(extractor: Extractor, dataset: str) -> str:
    """A row about the eigenvalues of the covariance on the training split.

    Effective rank: exp of the entropy of their shares.
    """
    values = np.linalg.eigvalsh(
        Moments.of(seen(extractor, split(dataset, "train")[0]).features.numpy()).covariance
    )
    share = np.sort(values)[::-1] / values.sum()
    rank, most = np.exp(-(share * np.log(share)).sum()), int((share.cumsum() < 0.95).sum()) + 1
    return (
        f"| {dataset} | {extractor.dim} | {values.sum():.2f} | {rank:.1f} | {most} | "
        f"{values[-1] / values[0]:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ASSETS)
    parser.add_argument(
        "--dataset", choices=tuple(SHAPES), action="append", help="only this one (default: both)"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: classifier(name, "cpu", args.folder) for name in args.dataset or SHAPES}
    print(
        "| data | split | accuracy [95 %] | N | cross-entropy | Inception Score "
        "|\n|---|---|---|---:|---:|---:|"
    )
    for name, extractor in found.items():
        print(*accuracies(extractor, name), sep="\n", flush=True)
    print("\n| data | from what to what | Frechet distance |\n|---|---|---:|")
    for name, extractor in found.items():
        print(*distances(extractor, name), sep="\n", flush=True)
    print("\n| data | D | trace | effective rank | dimensions of 95 % | largest to smallest |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, extractor in found.items():
        print(spectrum(extractor, name), flush=True)


if __name__ == "__main__":
    main()
