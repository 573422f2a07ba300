"""The two lower-level solvers of reward_ft behind the same oracles. Search and test never share an image seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.protocol import Test
from benchmark.seeds import substream
from benchmark.space import Float, Lam, Space
from tasks.metrics import clip_score
from tasks.reward_ft.assemble import Networks
from tasks.reward_ft.guidance import Linear, Mode, Reward, Sampled, Sampler, advised, one_each
from tasks.reward_ft.importance import Bank, Vector, Weights, ess, guard, kl, softmax, solve
from tasks.reward_ft.steps import Schedule, shortest

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

SPACE = Space((Float("lam", 0.01, 100.0, default=10.0, log=True, grid=(0.01, 0.1, 1.0, 10.0, 100.0)),))


class _RewardTask:
    """What both solvers share: the sampler, the rewards, and the held-out measurement by guided sampling."""

    space = SPACE

    def __init__(self, options: RewardFt, networks: Networks, seed: int, prompt: str) -> None:
        self._options, self._networks, self._seed, self._prompt = options, networks, seed, prompt
        self._model = networks.diffusion
        self.sampler = Sampler(
            self._model, Schedule.of(self._model.scheduler, options.steps, options.eta), prompt, options.cfg,
            cast(Mode, options.mode), options.target, options.guidance, options.micro_batch,
        )  # fmt: skip
        self._test: Sampled | None = None

    @property
    def nfe(self) -> int:
        return self._model.nfe

    def seeds(self, purpose: str, n: int) -> tuple[int, ...]:
        """n image seeds for one purpose of this run and prompt."""
        return tuple(substream(self._seed, "reward_ft", self._prompt, purpose, i) for i in range(n))

    def guided(self, seeds: tuple[int, ...], before: Sampled, reward: Reward, lam: float) -> Sampled:
        """One pass on the reward's linear model about the images of the pass before."""
        with advised():
            linear = Linear.over(reward, before.images, self._options.micro_batch, self._model.device)
        return self.sampler(seeds, linear, lam)

    def warm_up(self) -> None:
        """One guided step's kernels, on two images."""
        seeds = self.seeds("warm-up", 2)
        scheduler = self._model.scheduler
        schedule = shortest(scheduler, 1.0)
        if self._options.compile:  # the compiler learns from the second time step that they differ
            schedule = Schedule.of(scheduler, 3, 1.0)
        short = replace(self.sampler, schedule=schedule)
        before = short(seeds)
        with advised():
            linear = Linear.over(self._networks.r2, before.images, short.micro_batch, self._model.device)
        short(seeds, linear, 1.0)
        self.r1(before.images)

    def r1(self, images: Tensor) -> Vector:
        return self._values(self._networks.r1, images)

    def r2(self, images: Tensor) -> Vector:
        return self._values(self._networks.r2, images)

    def _values(self, reward: Reward, images: Tensor) -> Vector:
        parts = torch.split(images, min(256, 16 * self._options.micro_batch))
        with torch.no_grad(), advised():
            values = [one_each(reward(part.to(self._model.device)), len(part)) for part in parts]
        return torch.cat(values).double().cpu().numpy()

    def sample_test(self, strength: float) -> Sampled:
        """Guided images at lam = strength on the held-out seeds, which no method sees."""
        seeds = self.seeds("test", self._options.test_images)
        if self._test is None:  # pass 0 depends on no lam
            self._test = self.sampler(seeds)
        found = self._test
        for _ in range(self._options.passes - 1):
            found = self.guided(seeds, found, self._networks.r2, strength)
        return found

    def _unguided(self, n: int) -> Tensor:
        """The same images for every run of a prompt, whatever its seed."""
        return self.sampler(tuple(substream(0, "reward_ft", self._prompt, "reference", i) for i in range(n))).images

    def measure(self, strength: float) -> Test:
        """The figures of guided images, and where there are real pictures theirs as a reference."""
        images = self.sample_test(strength).images
        metrics, passport = self._figures(images)
        pixels = (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
        return Test(metrics, passport, pixels, references=self._references)

    def _figures(self, images: Tensor) -> tuple[dict[str, float], Mapping[str, str]]:
        """fid, clip, accuracy (digit and both colours as the prompt says), and the mean r2 as `reward`; the passport."""
        with advised():
            measured = self._networks.measure(images, self._unguided)
        seen = {"clip": clip_score(self.r1(images)), "reward": float(self.r2(images).mean())}
        return {**measured.metrics, **seen}, measured.passport

    @cached_property
    def _references(self) -> dict[str, dict[str, float]]:
        """The figures of as many real pictures as there are test images."""
        real = self._networks.real
        return {} if real is None else {"real pictures": self._figures(real(self._options.test_images))[0]}


class Importance(_RewardTask):
    """State: weights over a bank of unguided samples. One step solves the lower problem in closed form."""

    horizon = 1

    def init(self, seed: int) -> Weights:
        """The bank, with equal weights; `seed` chooses its images."""
        images = self.sampler(self.seeds(f"bank {seed}", self._options.bank)).images
        bank = Bank(self.r1(images), self.r2(images))
        return Weights(bank, softmax(np.zeros(len(bank.r2))), np.inf)

    def step(self, state: Weights, lam: Lam, tilt: float = 0.0) -> Weights:
        return solve(state.bank, self.space.native(lam)["lam"], tilt)

    def loss(self, state: Weights, lam: Lam) -> float:
        return -float(state.w @ state.bank.r1)

    def grad(self, state: Weights, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F = KL; neither expectation depends on lam."""
        return self.space.pullback(lam, {"lam": kl(state.w)})

    def lower(self, state: Weights, lam: Lam) -> float:
        """G = -E[r2] + lam KL(p || p_data) on the bank."""
        return -float(state.w @ state.bank.r2) + self.space.native(lam)["lam"] * kl(state.w)

    def pack(self, state: Weights) -> Mapping[str, Vector]:
        return {"r1": state.bank.r1, "r2": state.bank.r2, "w": state.w, "lam": np.array([state.lam])}

    def unpack(self, arrays: Mapping[str, Vector]) -> Weights:
        return Weights(Bank(arrays["r1"], arrays["r2"]), arrays["w"], float(arrays["lam"][0]))

    def test(self, state: Weights, lam: Lam) -> Test:
        """As `measure`, at the lam that the solver used: where the weights had collapsed, the one it backed off to."""
        used = guard(state.bank, self.space.native(lam)["lam"])
        found = self.measure(used)
        size = ess(softmax(state.bank.r2 / used))
        return replace(found, metrics={**found.metrics, "lam_used": used, "ess": size})


@dataclass(frozen=True)
class Guided:
    """seeds: one per image.  last: the images of the last pass."""

    seeds: tuple[int, ...]
    last: Sampled


class GuidedTask(_RewardTask):
    """State: guided images. `init` samples them without guidance; one step is one pass of guided sampling."""

    def __init__(self, options: RewardFt, networks: Networks, seed: int, prompt: str) -> None:
        super().__init__(options, networks, seed, prompt)
        self.horizon = options.passes - 1

    def init(self, seed: int) -> Guided:
        seeds = self.seeds(f"validation {seed}", self._options.images)
        return Guided(seeds, self.sampler(seeds))

    def step(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Guided:
        r1, r2 = self._networks.r1, self._networks.r2
        reward: Callable[[Tensor], Tensor] = (lambda x: r2(x) + tilt * r1(x)) if tilt else r2
        return Guided(state.seeds, self.guided(state.seeds, state.last, reward, self.space.native(lam)["lam"]))

    def loss(self, state: Guided, lam: Lam) -> float:
        return -float(self.r1(state.last.images).mean())

    def grad(self, state: Guided, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F = the path KL, an upper bound on KL(p || p_data). Raises ValueError for eta = 0.

        At the default 12 steps the bound is loose: on a Gaussian it is several times KL(p || p_data); see Sampled.
        """
        return self.space.pullback(lam, {"lam": self._kl(state)})

    def lower(self, state: Guided, lam: Lam) -> float:
        """G = -E[r2] + lam times the path KL; r2 is no network evaluation. Raises ValueError for eta = 0."""
        return -float(self.r2(state.last.images).mean()) + self.space.native(lam)["lam"] * self._kl(state)

    def _kl(self, state: Guided) -> float:
        if self._options.eta == 0:
            raise ValueError("reward_ft: the path KL needs eta > 0, got 0; set reward_ft.eta=1, or --lower importance")
        return float(state.last.kl.mean())

    def pack(self, state: Guided) -> Mapping[str, NDArray[Any]]:
        seeds = np.array(state.seeds, dtype=np.int64)
        return {"seeds": seeds, "images": state.last.images.cpu().numpy(), "kl": state.last.kl.numpy()}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Guided:
        images, path_kl = torch.tensor(arrays["images"]), torch.tensor(arrays["kl"])
        return Guided(tuple(arrays["seeds"].tolist()), Sampled(images, path_kl))

    def test(self, state: Guided, lam: Lam) -> Test:
        """As `measure`."""
        return self.measure(self.space.native(lam)["lam"])
