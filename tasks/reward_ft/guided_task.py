"""reward_ft on guided images, where one step is a pass of sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.protocol import Test
from benchmark.space import Lam
from tasks.reward_ft.guidance import Sampled
from tasks.reward_ft.loading import Networks
from tasks.reward_ft.pull import Reward
from tasks.reward_ft.task import RewardTask

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


@dataclass(frozen=True)
class Guided:
    """seeds: one per image.  last: the images of the last pass."""

    seeds: tuple[int, ...]
    last: Sampled


class GuidedTask(RewardTask):
    """State: guided images. `init` samples without guidance; a step is a pass with guidance."""

    def __init__(self, options: RewardFt, networks: Networks, seed: int, prompt: str) -> None:
        super().__init__(options, networks, seed, prompt)
        self.horizon = options.guided_passes

    @property
    def batch(self) -> int:
        return self._options.lam_batch

    def init(self, seed: int) -> Guided:
        seeds = self.seeds(f"validation {seed}", self._options.images)
        return Guided(seeds, self.sampler(seeds))

    def step(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Guided:
        return Guided(
            state.seeds,
            self.guided(
                state.seeds, state.last, self._reward(tilt), self.space.numbers(lam)["lam"]
            ),
        )

    def _reward(self, tilt: float) -> Reward:
        r1, r2 = self._networks.r1, self._networks.r2
        return (lambda x: r2(x) + tilt * r1(x)) if tilt else r2

    def step_many(
        self, states: Sequence[Guided], lams: Sequence[Lam], tilt: float = 0.0
    ) -> list[Guided]:
        """`step` of each, with the images of all in one batch. Each image has its own seed and lam,
        so that it is the one that it would be alone, up to rounding.
        """
        counts = [len(state.seeds) for state in states]
        strengths = torch.tensor([self.space.numbers(lam)["lam"] for lam in lams])
        after = self.guided(
            tuple(seed for state in states for seed in state.seeds),
            Sampled(
                torch.cat([state.last.images for state in states]),
                torch.cat([state.last.kl for state in states]),
            ),
            self._reward(tilt),
            strengths.repeat_interleave(torch.tensor(counts)),
        )
        parts = zip(torch.split(after.images, counts), torch.split(after.kl, counts), strict=True)
        # copies: a part is a view, which would keep the images of all
        return [
            Guided(state.seeds, Sampled(images.clone(), kl.clone()))
            for state, (images, kl) in zip(states, parts, strict=True)
        ]

    def loss_many(self, states: Sequence[Guided], lams: Sequence[Lam]) -> list[float]:
        values = self.r1(torch.cat([state.last.images for state in states]))
        ends = np.cumsum([len(state.seeds) for state in states])[:-1]
        return [-float(part.mean()) for part in np.split(values, ends)]

    def loss(self, state: Guided, lam: Lam) -> float:
        return -float(self.r1(state.last.images).mean())

    def grad(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F = the path KL. Raises ValueError for eta = 0."""
        # an upper bound on KL(p || p_data); loose at the default 12 steps, see `Sampled`
        return self.space.pullback(lam, {"lam": self._kl(state)})

    def lower(self, state: Guided, lam: Lam) -> float:
        """G = -E[r2] + lam times the path KL; not counted. Raises ValueError for eta = 0."""
        strength = self.space.numbers(lam)["lam"]
        return -float(self.r2(state.last.images).mean()) + strength * self._kl(state)

    def _kl(self, state: Guided) -> float:
        if self._options.eta == 0:
            raise ValueError(
                "reward_ft: the path KL needs eta > 0, got 0; set reward_ft.eta=1 (and "
                "reward_ft.sampler=ddim), or --lower importance"
            )
        return float(state.last.kl.mean())

    def pack(self, state: Guided) -> Mapping[str, NDArray[Any]]:
        seeds = np.array(state.seeds, dtype=np.int64)
        return {
            "seeds": seeds,
            "images": state.last.images.cpu().numpy(),
            "kl": state.last.kl.numpy(),
        }

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Guided:
        images, path_kl = torch.tensor(arrays["images"]), torch.tensor(arrays["kl"])
        return Guided(tuple(arrays["seeds"].tolist()), Sampled(images, path_kl))

    def test(self, state: Guided, lam: Lam) -> Test:
        """As `measure`."""
        return self.measure(self.space.numbers(lam)["lam"])
