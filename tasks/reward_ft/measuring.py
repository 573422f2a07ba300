"""Figures of held-out images, by the shipped judge of digits or by pytorch-fid's Inception."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.files.weights import place
from tasks.measure.frechet import Matrix, Moments, frechet, frechet_passport
from tasks.reward_ft import digits, embedded, inception_features, pictures, references
from tasks.reward_ft.inception_features import InceptionFeatures


@dataclass(frozen=True)
class Measured:
    """Figures of some images for one prompt, with the passport of the Frechet distance."""

    metrics: Mapping[str, float]
    passport: Mapping[str, str]


Measure = Callable[[Tensor, Callable[[int], Tensor]], Measured]
"""Figures of images (N, 3, H, W), given a way to sample so many unguided ones for reference."""


@dataclass(frozen=True)
class Compared:
    """What other metrics compare images by.

    features: images (N, 3, H, W) to (N, D), those of the Frechet distance.  name: of the network.
    real: real images in parts, given a way to sample so many unguided ones.  key: what they are of,
    or "" where they are the run's own.
    """

    features: Callable[[Tensor], Matrix]
    name: str
    real: Callable[[Callable[[int], Tensor]], Iterator[Tensor]]
    key: str = ""


def compared_by_judge(assets: Path, name: str, prompt: str, device: str) -> Compared:
    """Against the test scans that the Frechet distance is measured to. name: of the judge."""
    judge = embedded.judge(assets, device)

    def features(images: Tensor) -> Matrix:
        return embedded.judged(judge, images.to(device))[1].double().cpu().numpy()

    return Compared(features, name, lambda sample: iter([embedded.held_out(prompt)]), prompt)


def by_judge(assets: Path, name: str, prompt: str, device: str) -> Measure:
    """fid and accuracy. name: of the judge, whose network lies below `assets`."""
    judge, caption = embedded.judge(assets, device), digits.parse(prompt)
    wanted = torch.tensor([caption.digit, caption.ink, caption.ground], device=device)

    def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
        # only now: a search needs none of its 2,000 pictures
        reference = embedded.reference(assets, device, prompt)
        choices, features = embedded.judged(judge, images.to(device))
        table = features.cpu().numpy()
        right = (choices == wanted).all(1).float().mean()
        passport = frechet_passport(table, reference, name, "none, 32x32")
        figures = {"fid": frechet(table, reference), "accuracy": float(np.float64(right))}
        return Measured(figures, passport)

    return measure


def compared_by_inception(extractor: InceptionFeatures, reference: str, count: int) -> Compared:
    """Against a folder of pictures, one by one, or `count` unguided samples."""

    def real(sample: Callable[[int], Tensor]) -> Iterator[Tensor]:
        if not reference:
            yield sample(count)
        else:
            yield from inception_features.images(reference)

    key = references.reference_digest(reference) if reference else ""
    return Compared(extractor, extractor.name, real, key)


def by_inception(extractor: InceptionFeatures, reference: str, count: int) -> Measure:
    """fid. reference: a folder or a file, or "" for `count` unguided samples."""
    if reference and (folder := place(reference)).is_dir():
        pictures.note(folder)
    # a list, so that `measure` can add to it: unguided samples are drawn once a run
    moments = [inception_features.moments(reference, extractor)] if reference else []

    def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
        if not moments:
            moments.append(Moments.of(extractor(sample(count))))
        table = extractor(images)
        passport = frechet_passport(table, moments[0], extractor.name, inception_features.RESIZE)
        # in words, not as a hash: samples drawn here are equal up to the machine's rounding
        if not reference:
            passport["fid_reference"] = f"N = {count}, unguided samples of the prompt"
        return Measured({"fid": frechet(table, moments[0])}, passport)

    return measure
