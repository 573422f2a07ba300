"""What measures held-out images: the shipped judge of digits, or pytorch-fid's Inception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UsageError
from tasks.files.weights import OnWeb
from tasks.measure import inception
from tasks.reward_ft import references, shipped

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.reward_ft import RewardFt
    from tasks.reward_ft.inception_features import InceptionFeatures
    from tasks.reward_ft.measuring import Compared, Measure

UNGUIDED = "unguided"
_OPTION = "reward_ft.inception"


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
        from tasks.reward_ft import embedded

        return partial(embedded.real, prompt)

    @property
    def name(self) -> str:
        return f"judge {shipped.manifest(self.assets)['judge.safetensors'][:12]}"

    def compared(self, prompt: str, device: str) -> Compared:
        """Against the test scans that the Frechet distance is measured to."""
        from tasks.reward_ft.measuring import compared_by_judge

        return compared_by_judge(self.assets, self.name, prompt, device)

    def load(self, prompt: str, device: str) -> Measure:
        from tasks.reward_ft.measuring import by_judge

        return by_judge(self.assets, self.name, prompt, device)


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
        from tasks.reward_ft.inception_features import InceptionFeatures

        return InceptionFeatures(inception.file(self.weights, _OPTION), device)

    def compared(self, prompt: str, device: str) -> Compared:
        """Against a folder of pictures, one by one, or unguided samples."""
        from tasks.reward_ft.measuring import compared_by_inception

        return compared_by_inception(self._extractor(device), self.reference, self.count)

    def load(self, prompt: str, device: str) -> Measure:
        from tasks.reward_ft.measuring import by_inception

        return by_inception(self._extractor(device), self.reference, self.count)


def judge(o: RewardFt) -> DigitsJudge | InceptionJudge:
    """The judge that the options ask for."""
    if o.features == "judge":
        return DigitsJudge(o.folder, o.model, o.reference)
    reference = "" if o.reference == UNGUIDED else o.reference
    return InceptionJudge(o.inception, reference, o.reference_images)
