"""What the lower-level solvers of reward_ft share: sampler, rewards, held-out measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.protocol import FeaturePairs, Test
from benchmark.seeds import substream
from benchmark.space import Lam, Space
from tasks.measure.scores import clip_score
from tasks.reward_ft import SPACE
from tasks.reward_ft.guidance import Mode, Sampled, Sampler, advised
from tasks.reward_ft.importance import Vector
from tasks.reward_ft.loading import Networks
from tasks.reward_ft.pull import Direct, Linear, Pull, Reward, one_each
from tasks.reward_ft.steps import Schedule, shortest

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


class RewardTask:
    """The base of the solvers, which are in files of their own."""

    space: Space = SPACE

    def __init__(self, options: RewardFt, networks: Networks, seed: int, prompt: str) -> None:
        self._options, self._networks, self._seed, self._prompt = options, networks, seed, prompt
        self.model = networks.diffusion
        self.sampler = Sampler(
            self.model,
            Schedule.of(self.model.scheduler, options.steps, options.eta, options.sampler),
            prompt,
            options.cfg,
            cast(Mode, options.mode),
            options.target,
            options.guidance,
            options.micro_batch,
            (options.most_kl if options.rewards else 0.0) or math.inf,
        )
        self._test: Sampled | None = None

    @property
    def nfe(self) -> int:
        return self.model.nfe

    def seeds(self, purpose: str, n: int) -> tuple[int, ...]:
        """n image seeds for one purpose of this run and prompt."""
        # keyed by purpose: search and test never share an image
        return tuple(substream(self._seed, "reward_ft", self._prompt, purpose, i) for i in range(n))

    def guided(
        self, seeds: tuple[int, ...], before: Sampled | None, reward: Reward, lam: float | Tensor
    ) -> Sampled:
        """One pass guided by the reward: by itself, or by its linear model about images before.

        before: of the same seeds; `direct` needs none.  lam: one for all images, or (N,).
        """
        return self.sampler(seeds, self._pull(reward, before), lam)

    def _pull(self, reward: Reward, before: Sampled | None) -> Pull:
        if before is None or self._options.mode == "direct":
            return Direct(reward)
        with advised():
            return Linear.over(reward, before.images, self._options.micro_batch, self.model.device)

    def warm_up(self) -> None:
        """One guided step's kernels, on two images."""
        seeds = self.seeds("warm-up", 2)
        scheduler = self.model.scheduler
        schedule = shortest(scheduler, 1.0)
        # the compiler makes t a variable only when it sees a second time step
        if self._options.compile:
            schedule = Schedule.of(scheduler, 3, 1.0)
        short = replace(self.sampler, schedule=schedule)
        before = short(seeds)
        short(seeds, self._pull(self._networks.r2, before), 1.0)
        self.r1(before.images)

    def r1(self, images: Tensor) -> Vector:
        return self._values(self._networks.r1, images)

    def r2(self, images: Tensor) -> Vector:
        return self._values(self._networks.r2, images)

    def _values(self, reward: Reward, images: Tensor) -> Vector:
        parts = torch.split(images, min(256, 16 * self._options.micro_batch))
        with torch.no_grad(), advised():
            values = [one_each(reward(part.to(self.model.device)), len(part)) for part in parts]
        return torch.cat(values).double().cpu().numpy()

    def sample_test(self, strength: float) -> Sampled:
        """Guided images at lam = strength on the held-out seeds, which no method sees."""
        return self._sample_test(self._networks.r2, strength)

    def _sample_test(self, reward: Reward, strength: float) -> Sampled:
        seeds = self.seeds("test", self._options.test_images)
        sampled = self._first(seeds)
        for _ in range(self._options.guided_passes):
            sampled = self.guided(seeds, sampled, reward, strength)
        assert sampled is not None
        return sampled

    def _first(self, seeds: tuple[int, ...]) -> Sampled | None:
        """Pass 0 of the measurement, which depends on no lam; None where it guides nothing."""
        if self._test is None and self._options.mode != "direct":
            self._test = self.sampler(seeds)
        return self._test

    def _unguided(self, n: int) -> Tensor:
        """The same images for every run of a prompt, whatever its seed."""
        return self.sampler(
            tuple(substream(0, "reward_ft", self._prompt, "reference", i) for i in range(n))
        ).images

    def measure(self, strength: float) -> Test:
        """The figures of guided images, and where there are real pictures theirs as a reference."""
        return self._measured(self.sample_test(strength).images)

    def compared(self, images: Tensor) -> FeaturePairs:
        """Images beside real ones, in features. Raises UsageError."""
        if self._networks.compared is None:
            raise UsageError("reward_ft: expected networks with a judge, got some without")
        with advised():
            return self._networks.compared()(images, self._unguided, self._prompt)

    def answer(self, state: Any, lam: Lam) -> dict[str, NDArray[np.float64]]:
        """The lam that is sampled with."""
        return {"lam": np.array([self.space.numbers(lam)["lam"]])}

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        return self.compared(self.sample_test(float(answer["lam"][0])).images)

    def _measured(self, images: Tensor) -> Test:
        r1 = self.r1(images)
        metrics, passport = self._figures(images, r1)
        pixels = (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
        loss = -float(r1.mean())
        return Test(metrics, passport, pixels, references=self._references, loss=loss)

    def _figures(self, images: Tensor, r1: Vector) -> tuple[dict[str, float], Mapping[str, str]]:
        """fid, clip, reward (mean r2), accuracy (digit and both colours right); the passport."""
        with advised():
            measured = self._networks.measure(images, self._unguided)
        rewards = {"clip": clip_score(r1), "reward": float(self.r2(images).mean())}
        return {**measured.metrics, **rewards}, measured.passport

    @cached_property
    def _references(self) -> dict[str, dict[str, float]]:
        """The figures of as many real pictures as there are test images."""
        real = self._networks.real
        if real is None:
            return {}
        images = real(self._options.test_images)
        return {"real pictures": self._figures(images, self.r1(images))[0]}
