"""What the oracles of noise_schedule share: model, images, random numbers, schedules, samples.

Every draw is keyed by the run's seed, its purpose and the state's steps. So every trial trains on
the same order of images, and F is the same function each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.seeds import substream
from tasks.measure.frechet import Moments, frechet
from tasks.noise_schedule import features
from tasks.noise_schedule.diffusion import Denoiser, sample
from tasks.noise_schedule.images import images
from tasks.noise_schedule.schedule import abar
from tasks.noise_schedule.training import Batch, State
from tasks.samplers.protocol import solver

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule


class Sampling:
    """train: the training images, (N, 1, H, W).  shape: of one.  validation: the moments in F."""

    def __init__(self, options: NoiseSchedule, seed: int, device: str) -> None:
        self.o, self.seed, self.device = options, seed, device
        self.choices = options.choices
        self.space = self.choices.space()
        self.classifier = features.classifier(options.data, device)
        inception = options.features == "inception"
        self.extract = features.inception(device) if inception else self.classifier
        self.train = images(options, "train").to(device)
        self.shape = tuple(self.train.shape[1:])
        self.validation = Moments.of(self.features(images(options, "validation")))
        self.model = Denoiser(
            self.shape[-1], options.widths, options.prediction, options.conditioning, device
        )
        self._solver = solver(options.sampler)
        # noisy to clean
        times = np.linspace(options.time_steps, 0, options.steps + 1).round().astype(int)
        self._times = torch.from_numpy(times)

    def substream(self, *names: str | int) -> int:
        """A seed for one purpose of this run."""
        return substream(self.seed, "noise_schedule", *names)

    def generator(self, *names: str | int) -> torch.Generator:
        return torch.Generator().manual_seed(self.substream(*names))

    def shared_generator(self, name: str, state: State, *side: str | float) -> torch.Generator:
        """The same for both sides of a difference; with common=false another for each."""
        names: tuple[str | int, ...] = (name, state.seed, state.steps)
        if not self.o.common:
            # a hash of the weights, not a counter: an oracle gives the same answer when it is
            # asked again, in a resumed run too
            digest = hashlib.sha256(state.weights.cpu().numpy().tobytes()).hexdigest()
            names += (digest, *map(str, side))
        return self.generator(*names)

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, *self.shape, generator=generator).to(self.device)

    def batch(self, generator: torch.Generator) -> Batch:
        return Batch.draw(self.train, self.o.batch, self.o.time_steps, generator)

    def q(self, lams: NDArray[np.float64], names: Sequence[str]) -> Tensor:
        """Native values of (V, d) points along the axes of these names, (V, D) float64."""
        natives = [self.space.numbers(lam) for lam in lams]
        values = [[native[name] for name in names] for native in natives]
        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def table(self, q: Tensor, points: int) -> Tensor:
        """abar on an even grid of u, (..., points)."""
        u = torch.linspace(0, 1, points, dtype=torch.float64, device=self.device)
        return abar(self.o.schedule, q, u, self.o.floor)

    def samples(
        self, weights: Tensor, lams: NDArray[np.float64], noise: Tensor, differentiated: int = 0
    ) -> Tensor:
        """Samples for V schedules in one batched call, (V, N, C, H, W).

        noise: (N, C, H, W) for all of them, or (V, N, C, H, W).
        differentiated: how many of the last steps carry gradients.
        """
        return self.sampled(weights, self.q(lams, self.choices.sampled), noise, differentiated)

    def sampled(self, weights: Tensor, q: Tensor, noise: Tensor, differentiated: int = 0) -> Tensor:
        """As `samples`, for native values q, (V, D) float64, through which gradients may go."""
        v = len(q)
        x = noise.expand(v, *noise.shape[-4:]).reshape(-1, *self.shape)
        n = len(x) // v
        times = self._times.to(self.device)
        table = self.table(q, self.o.time_steps + 1)[:, times].float().repeat_interleave(n, 0)
        u = (times / self.o.time_steps).float()
        parts = zip(
            torch.split(x, self.o.micro_batch),
            torch.split(table, self.o.micro_batch),
            strict=True,
        )
        self.model.take(weights)
        chunks = [
            sample(self.model, *part, u, solver=self._solver, differentiated=differentiated)
            for part in parts
        ]
        return torch.cat(chunks).view(v, n, *self.shape)

    def distances(
        self, weights: Tensor, noise: Tensor, lams: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """F of these weights under each of (V, d) schedules, (V,)."""
        return np.array(
            [
                distance_to(self.features(s), self.validation)
                for s in self.samples(weights, lams, noise)
            ]
        )

    def features(self, images: Tensor) -> NDArray[np.float64]:
        """(N, D) of images (N, C, H, W)."""
        with torch.no_grad():
            parts = torch.split(images.to(self.device), self.o.micro_batch)
            return torch.cat([self.extract(p).features for p in parts]).double().cpu().numpy()

    def noise_for(self, of: str, variants: int, state: State) -> Tensor:
        """x_T of a difference: one for all its sides, or with common=false another for each."""
        draws = [
            self.noise(self.o.grad_samples, self.shared_generator("difference", state, of, k))
            for k in range(1 if self.o.common else variants)
        ]
        return draws[0] if self.o.common else torch.stack(draws)


def distance_to(x: NDArray[np.float64], reference: Moments) -> float:
    """The Frechet distance of features x, (N, D), inf where they are not finite."""
    return frechet(x, reference) if np.all(np.isfinite(x)) else float("inf")
