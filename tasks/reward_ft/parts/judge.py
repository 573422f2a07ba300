"""What measures held-out images: the shipped judge of digits, or pytorch-fid's Inception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UsageError
from tasks.files.weights import OnWeb, place
from tasks.measure import inception
from tasks.measure.frechet import Matrix, Moments, frechet, frechet_passport
from tasks.reward_ft import digits, embedded, pictures, references
from tasks.reward_ft.references import InceptionFeatures

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

UNGUIDED = "unguided"
_OPTION = "reward_ft.inception"


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


@dataclass(frozen=True)
class DigitsJudge:
    """The network below `assets`, which reads coloured digits alone.

    model, reference: the options, which must be empty.
    """

    assets: Path
    model: str
    reference: str

    @property
    def shipped(self) -> bool:
        return True

    def check(self) -> None:
        if self.model or self.reference:
            what, got = ("model", self.model) if self.model else ("reference", self.reference)
            raise UsageError(
                f"option reward_ft.{what}: the judge of the embedded preset knows coloured digits "
                f"alone, got {got!r}; set reward_ft.features=inception, or take --preset paper"
            )

    def files(self) -> Mapping[str, Path]:
        return {}

    def digests(self) -> Mapping[str, str]:
        return {}

    def sources(self) -> Iterable[OnWeb]:
        return ()

    def real(self, prompt: str) -> Callable[[int], Tensor]:
        """So many real pictures of the prompt."""
        return partial(embedded.real, prompt)

    @property
    def name(self) -> str:
        return f"judge {embedded.manifest(self.assets)['judge.safetensors'][:12]}"

    def compared(self, prompt: str, device: str) -> Compared:
        """Against the test scans that the Frechet distance is measured to."""
        judge = embedded.judge(self.assets, device)

        def features(images: Tensor) -> Matrix:
            return embedded.judged(judge, images.to(device))[1].double().cpu().numpy()

        return Compared(
            features, self.name, lambda sample: iter([embedded.held_out(prompt)]), prompt
        )

    def load(self, prompt: str, device: str) -> Measure:
        judge, caption = embedded.judge(self.assets, device), digits.parse(prompt)
        wanted = torch.tensor([caption.digit, caption.ink, caption.ground], device=device)
        reference = embedded.reference(self.assets, device, prompt)
        name = self.name

        def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
            choices, features = embedded.judged(judge, images.to(device))
            table = features.cpu().numpy()
            right = (choices == wanted).all(1).float().mean()
            passport = frechet_passport(table, reference, name, "none, 32x32")
            figures = {"fid": frechet(table, reference), "accuracy": float(np.float64(right))}
            return Measured(figures, passport)

        return measure


@dataclass(frozen=True)
class InceptionJudge:
    """weights: file of pytorch-fid's network, or "" for where its download puts it.

    reference: a folder of pictures, a file of statistics, or "" for `count` unguided samples.
    """

    weights: str
    reference: str
    count: int

    @property
    def shipped(self) -> bool:
        return False

    def check(self) -> None:
        """Nothing: Inception takes images of any model."""

    def files(self) -> Mapping[str, Path]:
        return {"inception": inception.file(self.weights, _OPTION)}

    def digests(self) -> Mapping[str, str]:
        return {"reference": references.reference_digest(self.reference)} if self.reference else {}

    def sources(self) -> Iterable[OnWeb]:
        return () if self.weights else (inception.SOURCE,)

    def real(self, prompt: str) -> None:
        """There are no real pictures of any prompt."""

    def _extractor(self, device: str) -> InceptionFeatures:
        return InceptionFeatures(inception.file(self.weights, _OPTION), device)

    def compared(self, prompt: str, device: str) -> Compared:
        """Against a folder of pictures, one by one, or unguided samples."""
        extractor = self._extractor(device)

        def real(sample: Callable[[int], Tensor]) -> Iterator[Tensor]:
            if not self.reference:
                yield sample(self.count)
            else:
                yield from references.images(self.reference)

        key = references.reference_digest(self.reference) if self.reference else ""
        return Compared(extractor, extractor.name, real, key)

    def load(self, prompt: str, device: str) -> Measure:
        extractor = self._extractor(device)
        if self.reference and (folder := place(self.reference)).is_dir():
            pictures.note(folder)
        # a list, so that `measure` can add to it: unguided samples are drawn once a run
        moments = [references.moments(self.reference, extractor)] if self.reference else []

        def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
            if not moments:
                moments.append(Moments.of(extractor(sample(self.count))))
            table = extractor(images)
            passport = frechet_passport(table, moments[0], extractor.name, references.RESIZE)
            # in words, not as a hash: samples drawn here are equal up to the machine's rounding
            if not self.reference:
                passport["fid_reference"] = f"N = {self.count}, unguided samples of the prompt"
            return Measured({"fid": frechet(table, moments[0])}, passport)

        return measure


def judge(o: RewardFt) -> DigitsJudge | InceptionJudge:
    """The judge that the options ask for."""
    if o.features == "judge":
        return DigitsJudge(o.folder, o.model, o.reference)
    reference = "" if o.reference == UNGUIDED else o.reference
    return InceptionJudge(o.inception, reference, o.reference_images)
