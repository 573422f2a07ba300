"""reward_ft with several lower rewards, a lam each, on both lower-level solvers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.protocol import FeaturePairs, Test
from benchmark.space import Lam
from tasks.reward_ft.guided_task import Guided, GuidedTask
from tasks.reward_ft.importance import Vector, ess, kl, softmax
from tasks.reward_ft.loading import Networks
from tasks.reward_ft.mixture import Mixed, MixedBank, mixed, trusted
from tasks.reward_ft.pull import Reward
from tasks.reward_ft.task import RewardTask

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


@dataclass(frozen=True)
class Mixture:
    """sum_k s_k r_k + tilt r1 of images.  s: (K,)."""

    rewards: tuple[Reward, ...]
    s: tuple[float, ...]
    r1: Reward
    tilt: float = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        pairs = zip(self.s, self.rewards, strict=True)
        total = torch.stack([s * reward(images) for s, reward in pairs]).sum(0)
        return total + self.tilt * self.r1(images) if self.tilt else total


class _Mixing(RewardTask):
    """What both solvers share: strengths, rewards, and images that a mixture of them guides."""

    def __init__(self, options: RewardFt, networks: Networks, seed: int, prompt: str) -> None:
        super().__init__(options, networks, seed, prompt)
        self.space = options.space

    def strengths(self, lam: Lam) -> Vector:
        """s, (K,)."""
        return 1 / np.array(list(self.space.numbers(lam).values()))

    def slope(self, lam: Lam, means: Vector) -> Lam:
        """d/dlam of the lower objective, (d,). means: E_p[r_k], (K,)."""
        # d/ds_k = -E[r_k], and s = 1/lam
        found = means * self.strengths(lam) ** 2
        names = (axis.name for axis in self.space.axes)
        return self.space.pullback(lam, dict(zip(names, found.tolist(), strict=True)))

    def all_rewards(self, images: Tensor) -> Vector:
        """(N, K)."""
        return np.stack([self._values(r, images) for r in self._networks.rewards], 1)

    def mixture(self, s: Vector, tilt: float = 0.0) -> Mixture:
        networks = self._networks
        return Mixture(networks.rewards, tuple(map(float, s)), networks.r1, tilt)

    def samples(self, answer: Mapping[str, Vector], lam: Lam) -> FeaturePairs:
        images = self._sample_test(self.mixture(answer["strengths"]), 1.0).images
        return self.compared(images)

    def measured(self, s: Vector) -> Test:
        """The held-out measurement at strengths s, with the path KL where there is one."""
        sampled = self._sample_test(self.mixture(s), 1.0)
        test, path_kl = self._measured(sampled.images), float(sampled.kl.mean())
        more = {"path_kl": path_kl} if np.isfinite(path_kl) else {}
        return replace(test, metrics={**test.metrics, **more})


class MixedImportance(_Mixing):
    """State: weights over a bank of unguided samples. One step is the closed form."""

    horizon = 1

    def init(self, seed: int) -> Mixed:
        """The bank, with equal weights; `seed` chooses its images."""
        images = self.sampler(self.seeds(f"bank {seed}", self._options.bank)).images
        bank = MixedBank(self.r1(images), self.all_rewards(images))
        return Mixed(bank, softmax(np.zeros(len(bank.r1))), np.zeros(bank.r.shape[1]), 1.0)

    def _least(self, bank: MixedBank) -> float:
        return bank.least_ess(self._options.ess_per_reward)

    def step(self, state: Mixed, lam: Lam, tilt: float = 0.0) -> Mixed:
        return mixed(state.bank, self.strengths(lam), self._least(state.bank), tilt)

    def loss(self, state: Mixed, lam: Lam) -> float:
        return -float(state.w @ state.bank.r1)

    def grad(self, state: Mixed, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of the lower objective, in the unit cube; r1 does not depend on lam."""
        return self.slope(lam, state.w @ state.bank.r)

    def lower(self, state: Mixed, lam: Lam) -> float:
        """G = KL(p || p_data) - sum_k s_k E_p[r_k] on the bank."""
        return kl(state.w) - float(self.strengths(lam) @ (state.w @ state.bank.r))

    def pack(self, state: Mixed) -> Mapping[str, Vector]:
        share = np.array([state.share])
        return {"r1": state.bank.r1, "r": state.bank.r, "w": state.w, "s": state.s, "share": share}

    def unpack(self, arrays: Mapping[str, Vector]) -> Mixed:
        bank = MixedBank(arrays["r1"], arrays["r"])
        return Mixed(bank, arrays["w"], arrays["s"], float(arrays["share"][0]))

    def _used(self, state: Mixed, lam: Lam) -> Vector:
        """The strengths that the solver used, (K,)."""
        s = self.strengths(lam)
        return s * trusted(state.bank, s, self._least(state.bank))

    def answer(self, state: Mixed, lam: Lam) -> dict[str, Vector]:
        return {"strengths": self._used(state, lam)}

    def test(self, state: Mixed, lam: Lam) -> Test:
        """At the strengths that the solver used. promised: CLIP score as the bank has it there."""
        bank, used = state.bank, self._used(state, lam)
        w = softmax(bank.r @ used)
        test = self.measured(used)
        promised = {"promised": 100 * float(w @ bank.r1), "ess": ess(w)}
        return replace(test, metrics={**test.metrics, **promised})


class MixedGuided(_Mixing, GuidedTask):
    """State: guided images. `init` samples without guidance; a step is a pass with guidance."""

    @property
    def batch(self) -> int:
        return 1

    def step(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Guided:
        # the same seeds for y and z: common random numbers
        pull = self.mixture(self.strengths(lam), tilt)
        return Guided(state.seeds, self.guided(state.seeds, state.last, pull, 1.0))

    def step_many(
        self, states: Sequence[Guided], lams: Sequence[Lam], tilt: float = 0.0
    ) -> list[Guided]:
        return [self.step(state, lam, tilt) for state, lam in zip(states, lams, strict=True)]

    def grad(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of the lower objective, in the unit cube, for any eta."""
        return self.slope(lam, self.all_rewards(state.last.images).mean(0))

    def lower(self, state: Guided, lam: Lam) -> float:
        """G = path KL - sum_k s_k E[r_k]; not counted. Raises ValueError for eta = 0."""
        return self._kl(state) - float(
            self.strengths(lam) @ self.all_rewards(state.last.images).mean(0)
        )

    def answer(self, state: Guided, lam: Lam) -> dict[str, Vector]:
        return {"strengths": self.strengths(lam)}

    def test(self, state: Guided, lam: Lam) -> Test:
        return self.measured(self.strengths(lam))
