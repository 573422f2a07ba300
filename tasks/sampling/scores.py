"""What images are worth: the Frechet distance to real ones, the CLIP score, what a judge reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.protocol import FeaturePairs
from tasks.measure import inception
from tasks.measure.frechet import Moments, frechet, frechet_passport
from tasks.measure.pictures import pictures
from tasks.measure.remembered import remembered
from tasks.reward_ft import digits, drawing, embedded, inception_features, shipped
from tasks.reward_ft.inception_features import InceptionFeatures
from tasks.reward_ft.networks import Judge
from tasks.reward_ft.scorers import ClipCosine
from tasks.sampling import captions

Matrix = NDArray[Any]
Features = Callable[[Tensor, Sequence[str]], tuple[Matrix, Matrix | None]]
"""Images (N, 3, H, W) and their prompts to features (N, D), and whether each is as asked, (N,)."""
_REAL_EACH = 20
"""Real pictures of a reference, for each prompt."""


@dataclass
class Scored:
    """What was kept of some images, in their order. features: (N, D).  cosines: (N,).

    right: whether digit and both colours are as asked, (N,), where a judge reads them.
    embeddings: of CLIP, (N, width), and images, (N, 3, H, W), where they are wanted.
    """

    features: list[Matrix] = field(default_factory=list)
    cosines: list[Matrix] = field(default_factory=list)
    right: list[Matrix] = field(default_factory=list)
    embeddings: list[Matrix] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)

    @property
    def table(self) -> Matrix:
        return np.concatenate(self.features)

    @property
    def cosine(self) -> Matrix:
        return np.concatenate(self.cosines)


@dataclass
class Judging:
    """clip: for any prompt.  features: None where there are no real images to compare with.

    name, resize: of the features' network, for a passport.  reference: statistics of real images,
        by half of the prompts.  real: those images in parts.  clip_name: for a passport.
    """

    clip: ClipCosine
    features: Features | None = None
    name: str = ""
    resize: str = ""
    reference: Mapping[captions.Half, Moments] = field(default_factory=dict)
    real: Callable[[captions.Half], Iterator[Tensor]] | None = None
    clip_name: str = "CLIP"
    _texts: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def add(self, kept: Scored, images: Tensor, prompts: Sequence[str], features: bool) -> None:
        """Score images (N, 3, H, W). features: whether the Frechet distance is wanted."""
        kept.cosines.append(self._cosines(images, prompts))
        if features and self.features is not None:
            table, right = self.features(images, prompts)
            kept.features.append(table)
            if right is not None:
                kept.right.append(right)

    def _cosines(self, images: Tensor, prompts: Sequence[str]) -> Matrix:
        found = np.zeros(len(prompts))
        # images of one prompt together
        for prompt in dict.fromkeys(prompts):
            mine = [k for k, p in enumerate(prompts) if p == prompt]
            if prompt not in self._texts:
                self._texts[prompt] = self.clip.of(prompt)
            found[mine] = self._texts[prompt](images[mine]).double().cpu().numpy()
        return found

    def embed(self, images: Tensor) -> Matrix:
        """CLIP's embeddings, (N, width)."""
        with torch.no_grad():
            return self.clip.embed(images).double().cpu().numpy()

    def compared(self, kept: Scored, half: captions.Half, prompts: Sequence[str]) -> FeaturePairs:
        """What was kept of some images beside real ones. Raises UsageError where there are none."""
        if self.real is None or self.features is None:
            raise UsageError(
                "sampling: expected real pictures to compare with, got none; run with "
                "--set sampling.reference=FOLDER"
            )
        images, features = self.real, self.features

        def make() -> tuple[Matrix, Matrix]:
            parts = [part.to(self.clip.device) for part in images(half)]
            found = np.concatenate([features(part, ())[0] for part in parts])
            return found, np.concatenate([self.embed(part) for part in parts])

        # statistics of the same images: with networks and device they say which these are
        key = (self.reference[half].digest, self.name, self.clip_name, str(self.clip.device))
        real, embedded = remembered(key, make)
        made, device = torch.cat(kept.images), str(self.clip.device)
        seen = pictures(made, lambda: images(half), key[0], prompts, device)
        return FeaturePairs(
            {"frechet": kept.table, "clip": np.concatenate(kept.embeddings)},
            {"frechet": real, "clip": embedded},
            {"frechet": self.name, "clip": self.clip_name},
            seen,
        )

    def distance(self, kept: Scored, half: captions.Half) -> float:
        """The Frechet distance to the real images of a half."""
        return frechet(kept.table, self.reference[half])

    def passport(self, kept: Scored, half: captions.Half) -> Mapping[str, str]:
        if self.features is None:
            return {}
        return frechet_passport(kept.table, self.reference[half], self.name, self.resize)


def _read(judge: Judge, images: Tensor, prompts: Sequence[str]) -> tuple[Matrix, Matrix | None]:
    """Without prompts the features alone."""
    if not prompts:
        return embedded.judged(judge, images)[1].cpu().numpy(), None
    asked = [digits.parse(prompt) for prompt in prompts]
    wanted = torch.tensor([[c.digit, c.ink, c.ground] for c in asked], device=images.device)
    choices, features = embedded.judged(judge, images)
    return features.cpu().numpy(), (choices == wanted).all(1).cpu().numpy()


def real_pictures(texts: tuple[str, ...], each: int, half: captions.Half) -> Tensor:
    """Real pictures of digits, so many for each prompt, (n, 3, 32, 32) in [0, 1]."""
    split: drawing.Split = "train" if half == "search" else "test"
    seed = 3026 if half == "search" else 3027
    parts = [
        drawing.real(digits.parse(text), each, seed=seed + 2 * k, split=split)
        for k, text in enumerate(texts)
    ]
    return torch.cat(parts)


@lru_cache(maxsize=2)
def _moments(folder: Path, device: str, half: captions.Half, texts: tuple[str, ...]) -> Moments:
    images = real_pictures(texts, _REAL_EACH, half).to(device)
    return Moments.of(embedded.judged(embedded.judge(folder, device), images)[1].cpu().numpy())


def digits_judging(
    clip: ClipCosine,
    folder: Path,
    device: str,
    texts: Mapping[captions.Half, tuple[str, ...]],
    clip_name: str,
) -> Judging:
    """By the shipped judge, against real pictures of the same prompts.

    folder: of the embedded preset's files.
    """
    judge = embedded.judge(folder, device)
    name = f"judge {shipped.manifest(folder)['judge.safetensors'][:12]}"
    return Judging(
        clip,
        lambda images, prompts: _read(judge, images, prompts),
        name,
        "none, 32x32",
        {half: _moments(folder, device, half, own) for half, own in texts.items()},
        lambda half: iter([real_pictures(texts[half], _REAL_EACH, half)]),
        clip_name,
    )


def inception_judging(
    clip: ClipCosine, weights: str, reference: str, device: str, clip_name: str
) -> Judging:
    """By pytorch-fid's network, against a folder of pictures or a file of statistics.

    reference: "" for none; then there is no Frechet distance.
    """
    if not reference:
        return Judging(clip)
    extractor = InceptionFeatures(inception.file(weights, "sampling.inception"), device)
    known = inception_features.moments(reference, extractor)
    return Judging(
        clip,
        lambda images, prompts: (extractor(images), None),
        extractor.name,
        inception_features.RESIZE,
        {"search": known, "test": known},
        lambda half: inception_features.images(reference),
        clip_name,
    )
