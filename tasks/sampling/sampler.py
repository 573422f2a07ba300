"""The loop of diffusers' StableDiffusionPipeline, for many plans and prompts in one batch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tasks.reward_ft.diffusion import Diffusion
from tasks.reward_ft.guidance import advised
from tasks.sampling.plan import Plan
from tasks.sampling.solvers import scheduler


@dataclass
class _Chain:
    """One plan on its way: a scheduler, one generator an image, and z, (N, C, H, W)."""

    plan: Plan
    scheduler: Any
    generators: list[torch.Generator]
    z: Tensor

    @classmethod
    def begin(cls, plan: Plan, model: Diffusion, config: Any, seeds: Sequence[int]) -> _Chain:
        made = scheduler(plan, config)
        # a generator for each image, on the CPU: it is then the same in every batch and anywhere
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = [torch.randn((1, *model.latent_shape), generator=g) for g in generators]
        z = torch.cat(noise).to(model.device) * made.init_noise_sigma
        return cls(plan, made, generators, z)

    def inputs(self, k: int) -> Tensor:
        scaled: Tensor = self.scheduler.scale_model_input(self.z, self.scheduler.timesteps[k])
        return scaled

    def advance(self, k: int, plain: Tensor | None, prompted: Tensor) -> None:
        """plain: the prediction for the empty prompt, None without guidance."""
        from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

        out = prompted
        if plain is not None:
            out = plain + self.plan.weights[k] * (prompted - plain)
            if self.plan.rescale > 0:
                out = rescale_noise_cfg(out, prompted, guidance_rescale=self.plan.rescale)
        known = inspect.signature(self.scheduler.step).parameters
        more: dict[str, Any] = {"eta": self.plan.eta} if "eta" in known else {}
        if "generator" in known:
            more["generator"] = self.generators
        t = self.scheduler.timesteps[k]
        self.z = self.scheduler.step(out, t, self.z, **more, return_dict=False)[0]


@dataclass(frozen=True)
class PlanSampler:
    """config: of the model's own scheduler.  micro_batch: images at once, over all plans."""

    model: Diffusion
    config: Any
    micro_batch: int

    def __call__(
        self, plans: Sequence[Plan], seeds: Sequence[int], prompts: Sequence[str]
    ) -> Iterator[tuple[slice, list[Tensor]]]:
        """Which of the images, and for each plan these, (n, 3, H, W) in [0, 1].

        seeds, prompts: one an image, the same for every plan: common random numbers.
        """
        size = max(1, self.micro_batch // len(plans))
        for k in range(0, len(seeds), size):
            part = slice(k, k + size)
            with torch.no_grad(), advised():
                yield part, self._part(plans, seeds[part], prompts[part])

    def _part(
        self, plans: Sequence[Plan], seeds: Sequence[int], prompts: Sequence[str]
    ) -> list[Tensor]:
        if len(plans) > self.micro_batch:
            # one image of so many plans is too much already
            groups = [
                plans[k : k + self.micro_batch] for k in range(0, len(plans), self.micro_batch)
            ]
            return [image for own in groups for image in self._part(own, seeds, prompts)]
        words = torch.stack([self.model.text(prompt) for prompt in prompts], 1)
        chains = [_Chain.begin(plan, self.model, self.config, seeds) for plan in plans]
        for k in range(max(len(plan.weights) for plan in plans)):
            self._call(k, [c for c in chains if k < len(c.plan.weights)], words)
        return [self.model.decode(c.z).clamp(0, 1) for c in chains]

    def _call(self, k: int, chains: list[_Chain], words: Tensor) -> None:
        """Call k of every chain at once. words: (2, N, L, D), of the empty prompts and the own."""
        guided = [c.plan.weights[k] > 1 for c in chains]
        # the pipeline's order: the empty prompts first
        sides = [(0, 1) if g else (1,) for g in guided]
        rows = [c.inputs(k) for c, own in zip(chains, sides, strict=True) for _ in own]
        times = [
            c.scheduler.timesteps[k].expand(len(c.z))
            for c, own in zip(chains, sides, strict=True)
            for _ in own
        ]
        text = [words[side] for own in sides for side in own]
        out = iter(
            torch.split(
                self.model.predict(
                    torch.cat(rows), torch.cat(times).to(self.model.device), torch.cat(text)
                ),
                words.shape[1],
            )
        )
        for chain, g in zip(chains, guided, strict=True):
            plain = next(out) if g else None
            chain.advance(k, plain, next(out))
