"""The networks of a preset, loaded for one prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from tasks.reward_ft import shipped
from tasks.reward_ft.assemble import Parts
from tasks.reward_ft.comparison import Comparison
from tasks.reward_ft.diffusion import Diffusion
from tasks.reward_ft.measuring import Measure

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


@dataclass(frozen=True)
class Networks:
    """All that reward_ft needs of a preset.

    r1: the upper reward for the prompt.  rewards: the lower ones.  measure: held-out figures of
    images.  real: so many real pictures of the prompt, where there are any.  compared: what other
    metrics compare by.
    """

    diffusion: Diffusion
    r1: Callable[[Tensor], Tensor]
    rewards: tuple[Callable[[Tensor], Tensor], ...]
    measure: Measure
    real: Callable[[int], Tensor] | None = None
    compared: Callable[[], Comparison] | None = None

    @property
    def r2(self) -> Callable[[Tensor], Tensor]:
        """The lower reward where there is one, and the first of several."""
        return self.rewards[0]


def networks(options: RewardFt, prompt: str, device: str) -> Networks:
    """Load everything for one prompt. Raises UsageError for damaged or missing files."""
    parts = Parts.of(options)
    parts.check()
    shipped.verify(options.folder)
    return Networks(
        parts.model.load(device, parts.taesd.folder()),
        parts.clip.load(prompt, device),
        tuple(reward.load(prompt, device) for reward in parts.rewards),
        parts.judge.load(prompt, device),
        parts.judge.real(prompt),
        lambda: Comparison(parts.judge.compared(prompt, device), parts.clip, device),
    )
