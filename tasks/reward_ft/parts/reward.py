"""r2, the lower reward: one on the shipped networks, or a registered one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.registry import REWARDS
from tasks.files.download import Source
from tasks.reward_ft.presets import EMBEDDED
from tasks.reward_ft.rewards import reward_files, reward_kind, reward_source

if TYPE_CHECKING:
    from torch import Tensor

# a table of names is in no hash of the task's code, so what it names is reached from here too
_CODE = (
    "tasks.reward_ft.embedded",
    "tasks.reward_ft.conflicts",
    "tasks.reward_ft.attributes",
    "tasks.reward_ft.paper_rewards",
)


@dataclass(frozen=True)
class RewardPart:
    """name: one of EMBEDDED, whose files lie below `assets`, or a registered reward.

    weights: the option reward_ft.reward_weights.
    """

    name: str
    weights: str
    assets: Path

    @property
    def shipped(self) -> bool:
        return self.name in EMBEDDED

    def check(self) -> None:
        if not self.shipped:
            reward_kind(self.name)

    def files(self) -> Mapping[str, Path]:
        found = {} if self.shipped else reward_files(self.name, self.weights)
        return {f"{self.name}/{name}": path for name, path in found.items()}

    def digests(self) -> Mapping[str, str]:
        return {} if self.shipped else reward_source(self.name)

    def sources(self) -> Iterable[Source]:
        return () if self.shipped or self.weights else reward_kind(self.name).sources()

    def load(self, prompt: str, device: str) -> Callable[[Tensor], Tensor]:
        """Images (N, 3, H, W) in [0, 1] to (N,), for the prompt. Raises UsageError."""
        if self.shipped:
            found: Callable[[Tensor], Tensor] = REWARDS.get(self.name)(self.assets, device, prompt)
            return found
        import torch

        files = reward_files(self.name, self.weights)
        return reward_kind(self.name)(files, prompt, torch.device(device))
