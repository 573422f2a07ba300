"""Rewards: differentiable functions of images (N, 3, H, W) in [0, 1], frozen, one number an image.

`register_reward("name")` on a class in a plug-in makes `--set reward_ft.reward=name` work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmark.errors import UsageError, one_line, suggest
from benchmark.registry import REWARDS, register_reward
from tasks.files.download import Source

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Reward", "register_reward", "reward_files", "reward_kind", "reward_source"]


class Reward(Protocol):
    """A reward for one prompt. given: the option reward_weights; files: what `files` returned."""

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        """What `bench fetch` downloads for it; () for nothing."""

    @classmethod
    def files(cls, given: str) -> Mapping[str, Path]:
        """The files that decide the numbers, by name; they are hashed. Raises UsageError."""

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None: ...
    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N,), differentiable; image i decides reward i."""


def reward_kind(name: str) -> type[Reward]:
    """The class of a registered reward. Raises UsageError."""
    if name not in REWARDS:
        raise UsageError(
            f"option reward_ft.reward or reward_ft.rewards: unknown reward {name!r}"
            f"{suggest(name, REWARDS.known())}; "
            f"known: {', '.join(REWARDS.known())}"
        )
    found: type[Reward] = REWARDS.get(name)
    return found


def reward_files(name: str, given: str) -> dict[str, Path]:
    """The files of a reward, by name. Raises UsageError, also where a plug-in's `files` fails."""
    try:
        return {str(key): Path(path) for key, path in reward_kind(name).files(given).items()}
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"reward {name!r}: its `files` failed: {one_line(f'{type(error).__name__}: {error}')}"
        ) from error


def reward_source(name: str) -> dict[str, str]:
    """SHA-256 by name of what decides a reward besides its files.

    Of a built-in its own digests; of a plug-in its code, with the modules beside it.
    """
    # a built-in reward's code is in the hash of the task's
    if REWARDS.complete()[name].built_in:
        return dict(getattr(reward_kind(name), "digests", dict)())
    return {f"reward {name}": REWARDS.code(name)}
