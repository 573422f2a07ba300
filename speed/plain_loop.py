"""A: a pass of our sampler; B: the loop that one writes with diffusers' parts, on the same noise.

The embedded model at its defaults, without guidance by a reward and with it. Targets: B/A at least
1.5, and images that agree to 1e-4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch

from speed import plain_step
from speed.flops import flops
from speed.timing import ratio, seconds
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.diffusion import draws
from tasks.reward_ft.pull import Direct

PROMPT, STRENGTH = shipped.PROMPTS[0], 1.0
_SIDE = 1024


@dataclass(frozen=True)
class Loops:
    """Both ways to the same images, (N, 3, H, W) in [0, 1]."""

    options: RewardFt

    @cached_property
    def task(self) -> Any:
        return self.options.open(0, PROMPT, "guided", "cpu")

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        found: tuple[int, ...] = self.task.seeds("speed", self.options.images)
        return found

    @cached_property
    def pipe(self) -> Any:
        return plain_step.pipeline(shipped.ASSETS / "model")

    def ours(self, guided: bool) -> torch.Tensor:
        # as the loop, which holds nothing back
        sampler = replace(self.task.sampler, most_kl=math.inf)
        pull = Direct(self.task._networks.r2) if guided else None
        images: torch.Tensor = sampler(self.seeds, pull, STRENGTH).images
        return images

    def plain(self, guided: bool) -> torch.Tensor:
        pipe, o = self.pipe, self.options
        pipe.scheduler.set_timesteps(o.steps)
        with torch.no_grad():
            words = plain_step.text(pipe, PROMPT, len(self.seeds))
            shape = self.task.model.latent_shape
            noise = torch.stack([draws(seed, o.steps, shape) for seed in self.seeds], 1)
            z = noise[0] * pipe.scheduler.init_noise_sigma
            for k, t in enumerate(pipe.scheduler.timesteps):
                eps = self._eps(z, t, words, guided)
                z = pipe.scheduler.step(
                    eps, t, z, eta=o.eta, variance_noise=noise[k + 1]
                ).prev_sample
            return plain_step.decoded(pipe, z).clamp(0, 1)

    def _eps(self, z: torch.Tensor, t: Any, words: torch.Tensor, guided: bool) -> torch.Tensor:
        if not guided:
            return plain_step.unguided(self.pipe, z, t, words, self.options.cfg)
        reward = self.task._networks.r2
        return plain_step.guided(
            self.pipe, z, t, words, self.options.cfg, lambda images: -reward(images) / STRENGTH
        )

    def both(self, guided: bool) -> tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]:
        return partial(self.ours, guided), partial(self.plain, guided)

    def gap(self, guided: bool) -> float:
        """The largest difference of a pixel."""
        ours, plain = (way() for way in self.both(guided))
        return float((ours - plain).abs().max())

    def rate(self) -> float:
        """Operations a second of a guided pass, as a share of those of a matrix product."""
        counted = flops(lambda: self.ours(True)) / seconds(lambda: self.ours(True))
        a = torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
        return counted / (2 * _SIDE**3 / min(seconds(lambda: a @ a) for _ in range(10)))


def main() -> None:
    loops = Loops(RewardFt(mode="direct"))
    for guided in (False, True):
        print(
            f"{loops.options.images} images, {loops.options.steps} steps, "
            f"{'guided' if guided else 'unguided'}: images differ by {loops.gap(guided):.1e}"
        )
        ratio(*loops.both(guided), rounds=5)
