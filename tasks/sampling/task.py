"""`sampling` opened: F of images that a plan samples, and its differences on common noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.protocol import FeaturePairs, Test
from benchmark.seeds import substream
from benchmark.space import Lam, sides
from tasks.measure.scores import clip_score
from tasks.reward_ft.diffusion import Diffusion
from tasks.sampling import captions
from tasks.sampling.captions import Half
from tasks.sampling.controls import controls
from tasks.sampling.plan import Plan, plan, trailing
from tasks.sampling.sampler import PlanSampler
from tasks.sampling.scores import Judging, Scored, real_pictures

if TYPE_CHECKING:
    from tasks.sampling import SamplingMaker

# half the width of a difference in the unit cube: time steps are whole, so less shows rounding
WIDTH = 0.05
_SHOWN = 8


class SamplingTask:
    """State: the seed of the noise that F is an average over. There is no lower problem.

    So G is 0, a step changes nothing, and F(lam, state) depends on lam alone but for noise.
    """

    horizon = 1

    def __init__(self, o: SamplingMaker, model: Diffusion, judging: Judging, seed: int) -> None:
        self._o, self.model, self._judging, self._seed = o, model, judging, seed
        self.space = o.space
        self._sample = PlanSampler(model, model.own_scheduler, o.micro_batch)

    @property
    def nfe(self) -> int:
        return self.model.nfe

    def warm_up(self) -> None:
        """One plan's kernels, on two images."""
        self._scored([self.plan(self.space.default())], "warm-up", 2, "search")

    def plan(self, lam: Lam) -> Plan:
        return plan(self._o, self.space, lam)

    def init(self, seed: int) -> int:
        return seed

    def step(self, state: int, lam: Lam, tilt: float = 0.0) -> int:
        return state

    def loss(self, state: int, lam: Lam) -> float:
        """The Frechet distance to real images, or minus the CLIP score, on the search's prompts."""
        return self._f([self.plan(lam)], state)[0]

    def _f(self, plans: Sequence[Plan], state: int) -> list[float]:
        kept = self._scored(plans, f"validation {state}", self._o.images, "search")
        return [self._value(scored, "search") for scored in kept]

    def _value(self, scored: Scored, half: Half) -> float:
        clip = self._o.objective == "clip"
        # a plan may leave finite numbers, and then has no score
        if not np.isfinite(scored.cosine if clip else scored.table).all():
            return float("inf")
        return -clip_score(scored.cosine) if clip else self._judging.distance(scored, half)

    def grad(self, state: int, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of tilt F by central differences on common noise, all points in one batch."""
        found = np.zeros(self.space.dim)
        if not tilt:
            return found
        axes = np.flatnonzero(self.space.ordered)
        moves = WIDTH * np.eye(self.space.dim)[axes]
        up, down = sides(lam, moves)
        values = np.array(self._f([self.plan(u) for u in (*up, *down)], state))
        apart = (up - down)[np.arange(len(axes)), axes]
        found[axes] = tilt * (values[: len(axes)] - values[len(axes) :]) / apart
        return found

    def lower(self, state: int, lam: Lam) -> float:
        """G = 0."""
        return 0.0

    def pack(self, state: int) -> Mapping[str, NDArray[Any]]:
        return {"seed": np.array([state], np.int64)}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> int:
        return int(arrays["seed"][0])

    def _prompts(self, half: Half, n: int) -> list[str]:
        known = captions.prompts(self._o, half)
        return [known[k % len(known)] for k in range(n)]

    def _scored(self, plans: Sequence[Plan], purpose: str, n: int, half: Half) -> list[Scored]:
        kept, _ = self._sampled(plans, purpose, n, half, self._o.objective == "frechet")
        return kept

    def _sampled(
        self,
        plans: Sequence[Plan],
        purpose: str,
        n: int,
        half: Half,
        features: bool,
        embedded: bool = False,
    ) -> tuple[list[Scored], list[NDArray[np.uint8]]]:
        """What is kept of n images of each plan, and the first of them."""
        seeds = [substream(self._seed, "sampling", purpose, k) for k in range(n)]
        prompts = self._prompts(half, n)
        kept = [Scored() for _ in plans]
        shown: list[list[NDArray[np.uint8]]] = [[] for _ in plans]
        for part, images in self._sample(plans, seeds, prompts):
            for k, (scored, own) in enumerate(zip(kept, images, strict=True)):
                self._judging.add(scored, own, prompts[part], features)
                if embedded:
                    scored.embeddings.append(self._judging.embed(own))
                    scored.images.append(own)
                if part.start < _SHOWN:
                    pixels = (own.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
                    shown[k].append(pixels.cpu().numpy())
        return kept, [np.concatenate(s)[:_SHOWN] for s in shown]

    def _figures(self, scored: Scored, passes: float | None) -> dict[str, float]:
        found = {"clip": clip_score(scored.cosine)}
        if scored.features:
            found["fid"] = self._judging.distance(scored, "test")
        if scored.right:
            found["accuracy"] = float(np.concatenate(scored.right).mean())
        if passes is not None:
            found["passes"] = passes
        return found

    def test(self, state: int, lam: Lam) -> Test:
        """On held-out prompts and seeds: `fid`, `clip`, `accuracy` where a judge reads digits, and
        `passes`, those of the U-Net for one image.
        """
        own = self.plan(lam)
        (kept,), (shown,) = self._sampled([own], "test", self._o.test_images, "test", True)
        return Test(
            self._figures(kept, own.passes),
            self._judging.passport(kept, "test"),
            shown,
            {"guidance(call)": self._curve(own, "w"), "t(call)": self._curve(own, "t")},
            self._references,
            loss=self._value(kept, "test"),
        )

    def answer(self, state: int, lam: Lam) -> dict[str, NDArray[Any]]:
        """Nothing: lam says all."""
        return {}

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        (kept,), _ = self._sampled(
            [self.plan(lam)], "test", self._o.test_images, "test", True, True
        )
        return self._judging.compared(kept, "test", self._prompts("test", self._o.test_images))

    def _curve(self, own: Plan, what: str) -> NDArray[np.float64]:
        """Guidance or time step over the share of the calls: of the plan, and of the default."""
        share = np.linspace(0, 1, 101)
        rows = [share]
        for each in (own, self.plan(self.space.default())):
            values = np.array(each.weights)
            if what == "t":
                values = np.array(each.timesteps or trailing(each.steps), float)
            at = np.minimum((share * len(values)).astype(int), len(values) - 1)
            rows.append(values[at])
        return np.stack(rows)

    @cached_property
    def _references(self) -> dict[str, dict[str, float]]:
        """What nobody tuned, on the same held-out prompts and seeds; and real pictures."""
        found = {}
        for name, own in controls(self._sample.config, self._o.evaluations, self._o.cfg).items():
            (kept,), _ = self._sampled([own], "test", self._o.test_images, "test", True)
            found[name] = self._figures(kept, own.passes)
        if not self._o.model:
            found["real pictures"] = self._figures(self._real(), None)
        return found

    def _real(self) -> Scored:
        known = captions.prompts(self._o, "test")
        each = -(-self._o.test_images // len(known))
        images = real_pictures(known, each, "search")[: self._o.test_images]
        prompts = [p for p in known for _ in range(each)][: self._o.test_images]
        kept = Scored()
        with torch.no_grad():
            self._judging.add(kept, images.to(self.model.device), prompts, True)
        return kept
