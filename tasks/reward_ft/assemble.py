"""From the options of reward_ft to its parts; every preset comes this way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from benchmark.protocol import Prices
from tasks.files.download import Source
from tasks.files.weights import digest
from tasks.reward_ft import several, shipped
from tasks.reward_ft.form import Form
from tasks.reward_ft.parts import Part
from tasks.reward_ft.parts.clip import ClipPart
from tasks.reward_ft.parts.judge import DigitsJudge, InceptionJudge, judge
from tasks.reward_ft.parts.model import ModelPart
from tasks.reward_ft.parts.reward import RewardPart
from tasks.reward_ft.parts.taesd import TaesdPart

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


# measured by `python -m speed flops`, embedded preset: 49 % of a guided pass is left out,
# most of it in the look-ahead through the autoencoder, and 8 % of a bank; a differentiated
# pass counts 3 and takes 2, so a guided step counts 3 and takes 3.9 plain passes
COUNTED = (
    "one evaluation is one pass of the U-Net for one image, two with classifier-free "
    "guidance, three times that where it is differentiated; not counted: autoencoder, "
    "text encoder, rewards and CLIP (embedded preset: 49 % of the arithmetic of a guided "
    "pass, 8 % of a bank)"
)


@dataclass(frozen=True)
class Parts:
    """Every part of one set of options, in the order in which they are hashed."""

    model: ModelPart
    taesd: TaesdPart
    clip: ClipPart
    rewards: tuple[RewardPart, ...]
    judge: DigitsJudge | InceptionJudge

    @classmethod
    def of(cls, o: RewardFt) -> Parts:
        return cls(
            ModelPart.of(o),
            TaesdPart(o.taesd),
            ClipPart(o.clip, o.folder),
            tuple(RewardPart(name, several.weights_of(o, name), o.folder) for name in o.names),
            judge(o),
        )

    def __iter__(self) -> Iterator[Part]:
        return iter((self.model, self.taesd, self.clip, *self.rewards, self.judge))

    def check(self) -> None:
        """Raises UsageError for options that do not go together."""
        for part in self:
            part.check()

    def form(self) -> Form:
        """How the model is held, with its tiny autoencoder. Raises UsageError."""
        return replace(self.model.form, taesd=self.taesd.folder())


def fingerprint(options: RewardFt) -> dict[str, str]:
    """SHA-256 by name of all that decides the numbers. Raises UsageError."""
    parts = Parts.of(options)
    parts.check()
    shipped.verify(options.folder)
    # all files before the first hash: gigabytes take a while, a missing file is named at once
    paths = {name: path for part in parts for name, path in part.files().items()}
    hashes = {name: digest(path) for name, path in paths.items()}
    for part in parts:
        hashes |= part.digests()
    if any(part.shipped for part in parts):
        hashes |= shipped.manifest(options.folder)
    return hashes


def sources(options: RewardFt) -> list[Source]:
    """Where everything is published that is no file or folder of the user's. Raises UsageError."""
    parts = Parts.of(options)
    parts.check()
    return [source for part in parts for source in part.sources()]


def prompts(options: RewardFt) -> tuple[str, ...]:
    """The default prompts of the options' model."""
    return Parts.of(options).model.prompts


def prices(options: RewardFt, lower: str) -> Prices:
    """Network evaluations of each request, without loading a network. Raises UsageError."""
    if options.together:
        one = asdict(prices(replace(options, together=0), lower))
        fixed = {name: one.pop(name) for name in ("horizon", "bound")}
        return Prices(**{k: v * options.together for k, v in one.items()}, **fixed)
    o = options
    if lower == "importance":
        return Prices(2 * o.bank * o.steps, 0, 0, 0, 0, 0, horizon=1)
    if lower == "staged":
        # a step may be the first one with guidance, which samples without it before
        bank, images = prices(o, "importance"), prices(o, "guided")
        dearest = images.init + images.step
        return Prices(bank.init, dearest, 0, 0, dearest, 0, horizon=1, bound=True)
    # a guided step is differentiated and counts 3; the rewards of `loss` are no U-Net
    guided = sum(Parts.of(o).model.schedule().guided)
    step = 2 * o.images * (3 * guided + o.steps - guided)
    return Prices(2 * o.images * o.steps, step, 0, 0, step, 0, horizon=o.guided_passes)
