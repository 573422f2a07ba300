"""The oracles of noise_schedule. Every random draw is keyed by the run's seed, its purpose and the state's steps."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.protocol import Test
from benchmark.seeds import substream
from benchmark.space import Lam
from tasks import data
from tasks.metrics import Moments, frechet, frechet_passport, inception_score, nearest
from tasks.noise_schedule import distance, features
from tasks.noise_schedule.diffusion import Denoiser, ddim
from tasks.noise_schedule.schedule import PARAMETERS, abar, log_snr, space
from tasks.noise_schedule.training import Batch, State, Trainer, pack, score_matching, unpack
from tasks.precision import exact
from tasks.zeroth_order import coordinates, directions

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule

LOG = logging.getLogger("benchmark")
_LOOKED_AT = 2000  # images of a median distance: with 50,000 to compare with, seconds
_SHOWN = 101  # points of a curve over u


def fingerprint(options: NoiseSchedule) -> Mapping[str, str]:
    """Hashes of the data and of the networks that measure."""
    found = features.fingerprint(options.data, options.features)
    if options.data == "mnist":
        found |= data.mnist_fingerprint()
    elif options.train_images:
        found["order of train_images"] = hashlib.sha256(_order().numpy().astype("<i8").tobytes()).hexdigest()
    return found


def _order() -> Tensor:
    """Of the digits' training images where a part of them is taken: they lie sorted by digit, those of MNIST do not."""
    return data.spread(data.thirds("train")[1])


def images(options: NoiseSchedule, split: data.Split) -> Tensor:
    """(N, 1, H, W) in [-1, 1]."""
    found, _ = data.load(options.data, split)
    if split == "train" and options.train_images:
        ordered = found[_order()] if options.data == "digits" else found
        found = ordered[: options.train_images]
    return found * 2 - 1


class NoiseScheduleTask:
    """State: the training of one network. One step is one step of Algorithm 3, one F is one run of Algorithm 4."""

    def __init__(self, options: NoiseSchedule, seed: int, device: str) -> None:
        self._o, self._seed, self._device = options, seed, device
        exact(device)  # else z differs from y by rounding, which Adam and gamma enlarge
        self.space = space(options.schedule, options.ranges)
        self.horizon = options.horizon
        self._classifier = features.classifier(options.data, device)
        self._extract = features.inception(device) if options.features == "inception" else self._classifier
        self._train = images(options, "train").to(device)
        self._shape = tuple(self._train.shape[1:])
        splits: tuple[data.Split, ...] = ("validation", "test")
        self._validation, self._held_out = (Moments.of(self._features(images(options, split))) for split in splits)
        self._model = Denoiser(self._shape[-1], options.widths, options.prediction, options.conditioning, device)
        self._trainer = Trainer(self._model, options.learning_rate, options.ema)
        times = np.linspace(options.time_steps, 0, options.steps + 1).round().astype(int)  # of DDIM, noisy to clean
        self._times = torch.from_numpy(times)

    @property
    def nfe(self) -> int:
        return self._model.nfe

    def warm_up(self) -> None:
        """Each oracle once."""
        lam = self.space.default()
        state = self.step(self.init(0), lam)
        self.loss(state, lam)
        self.grad(state, lam, 1e-3)

    # random numbers

    def _generator(self, *names: str | int) -> torch.Generator:
        return torch.Generator().manual_seed(substream(self._seed, "noise_schedule", *names))

    def _difference(self, name: str, state: State, *side: str | float) -> torch.Generator:
        """The same for both sides of a difference; for the ablation another for each state and side."""
        names: tuple[str | int, ...] = (name, state.seed, state.steps)
        if not self._o.common:
            digest = hashlib.sha256(state.weights.cpu().numpy().tobytes()).hexdigest()
            names += (digest, *map(str, side))
        return self._generator(*names)

    def _noise(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, *self._shape, generator=generator).to(self._device)

    def _batch(self, generator: torch.Generator) -> Batch:
        return Batch.draw(self._train, self._o.batch, self._o.time_steps, generator)

    # schedules and samples

    def _q(self, lams: NDArray[np.float64]) -> Tensor:
        """Native values of (V, d) points, (V, d) float64."""
        values = [[self.space.native(lam)[name] for name in PARAMETERS[self._o.schedule]] for lam in lams]
        return torch.tensor(values, dtype=torch.float64, device=self._device)

    def _table(self, q: Tensor, points: int) -> Tensor:
        """abar on an even grid of u, (..., points)."""
        u = torch.linspace(0, 1, points, dtype=torch.float64, device=self._device)
        return abar(self._o.schedule, q, u, self._o.floor)

    def _samples(self, weights: Tensor, lams: NDArray[np.float64], noise: Tensor, differentiated: int = 0) -> Tensor:
        """DDIM samples for V schedules in one batched call, (V, N, C, H, W); the same noise for each unless it is (V, N, ...).

        differentiated: how many of the last steps carry a derivative.
        """
        v = len(lams)
        x = noise.expand(v, *noise.shape[-4:]).reshape(-1, *self._shape)
        n = len(x) // v
        times = self._times.to(self._device)
        table = self._table(self._q(lams), self._o.time_steps + 1)[:, times].float().repeat_interleave(n, 0)
        u = (times / self._o.time_steps).float()
        parts = zip(torch.split(x, self._o.micro_batch), torch.split(table, self._o.micro_batch), strict=True)
        self._model.take(weights)
        found = [ddim(self._model, *part, u, differentiated=differentiated) for part in parts]
        return torch.cat(found).view(v, n, *self._shape)

    def _distances(self, weights: Tensor, noise: Tensor, lams: NDArray[np.float64]) -> NDArray[np.float64]:
        """F of these weights under each of (V, d) schedules, (V,)."""
        return np.array([_distance(self._features(s), self._validation) for s in self._samples(weights, lams, noise)])

    def _features(self, images: Tensor) -> NDArray[np.float64]:
        """(N, D) of images (N, C, H, W)."""
        with torch.no_grad():
            parts = torch.split(images.to(self._device), self._o.micro_batch)
            return torch.cat([self._extract(p).features for p in parts]).double().cpu().numpy()

    def _noise_for(self, of: str, variants: int, state: State) -> Tensor:
        """x_T of a difference: one for all its sides, or (the ablation) another for each."""
        draws = [
            self._noise(self._o.grad_samples, self._difference("difference", state, of, k))
            for k in range(1 if self._o.common else variants)
        ]
        return draws[0] if self._o.common else torch.stack(draws)

    # oracles

    def init(self, seed: int) -> State:
        return self._trainer.init(substream(self._seed, "noise_schedule", "init", seed))

    def step(self, state: State, lam: Lam, tilt: float = 0.0) -> State:
        """Algorithm 3; with a tilt, also down d_theta F by the chosen estimate. A diverged state stays so."""
        if state.diverged:
            return state
        with torch.no_grad():
            table = self._table(self._q(lam[None])[0], self._o.time_steps + 1)
        extra = tilt * self._theta_gradient(state, lam) if tilt and self._o.theta != "none" else None
        after = self._trainer.step(state, self._batch(self._generator("batch", state.seed, state.steps)), table, extra)
        if after.diverged:
            LOG.warning("a training diverged; its F counts as infinite")
        return after

    def loss(self, state: State, lam: Lam) -> float:
        """The Frechet distance of `samples` images of the averaged weights to the validation images; inf if diverged."""
        if state.diverged:
            return float("inf")
        return float(
            self._distances(state.ema, self._noise(self._o.samples, self._generator("validation")), lam[None])[0]
        )

    def grad(self, state: State, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F: autograd through abar(q), and differences of F on common noise; nan if diverged."""
        if state.diverged:
            return np.full(self.space.dim, np.nan)
        total = self._q_gradient(state, lam, tilt)
        if tilt:
            total = total + tilt * self._q_difference(state, lam)
        return total

    def lower(self, state: State, lam: Lam) -> float:
        """G on the batch of `grad`, inf if diverged; not counted."""
        if state.diverged:
            return float("inf")
        counted = self._model.nfe
        self._model.take(state.weights)
        with torch.no_grad():
            table = self._table(self._q(lam[None])[0], self._o.time_steps + 1)
            found = float(score_matching(self._model, self._batch(self._difference("gradient", state, 0.0)), table))
        self._model.nfe = counted
        return found

    def _q_gradient(self, state: State, lam: Lam, tilt: float) -> Lam:
        """d_q G at the weights, Algorithm 6; the tilt is no part of it but tells z from y."""
        q = self._q(lam[None])[0].requires_grad_()
        self._model.take(state.weights)
        with torch.enable_grad():
            table = self._table(q, self._o.time_steps + 1)
            batch = self._batch(self._difference("gradient", state, tilt))
            (found,) = torch.autograd.grad(score_matching(self._model, batch, table), q)
        return self.space.pullback(lam, dict(zip(PARAMETERS[self._o.schedule], found.tolist(), strict=True)))

    def _q_difference(self, state: State, lam: Lam) -> Lam:
        """d_q F at the averaged weights, by differences."""
        k = self._o.directions
        noise = self._noise_for("q", 2 * (k or self.space.dim), state)
        values = partial(self._distances, state.ema, noise)
        if not k:
            return coordinates(values, lam, self._o.nu)
        rng = np.random.default_rng(substream(self._seed, "noise_schedule", "directions", state.seed, state.steps))
        return directions(values, lam, self._o.nu, rng.standard_normal((k, self.space.dim)))

    def _theta_gradient(self, state: State, lam: Lam) -> Tensor:
        """An estimate of d_theta F, (P,), at the averaged weights, which are those that F uses."""
        estimate = self._theta_difference if self._o.theta == "zeroth_order" else self._theta_truncated
        return estimate(state, lam)

    def _theta_difference(self, state: State, lam: Lam) -> Tensor:
        generator = self._generator("weights", state.seed, state.steps)
        v = torch.randn(state.ema.shape, generator=generator).to(self._device)
        nu, noise = self._o.nu, self._noise_for("theta", 2, state)
        up, down = (
            self._distances(state.ema + sign * nu * v, noise[k] if noise.dim() == 5 else noise, lam[None])[0]
            for k, sign in enumerate((1, -1))
        )
        return float(up - down) / (2 * nu) * v

    def _theta_truncated(self, state: State, lam: Lam) -> Tensor:
        grad = self._model.vector.grad
        assert grad is not None
        grad.zero_()
        noise = self._noise_for("theta", 1, state).reshape(-1, *self._shape)
        samples = self._samples(state.ema, lam[None], noise, self._o.truncation)[0]
        with torch.enable_grad():
            distance.frechet(self._extract(samples).features, self._validation).backward()  # type: ignore[no-untyped-call]
        return grad.clone()

    def pack(self, state: State) -> Mapping[str, NDArray[Any]]:
        return pack(state)

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> State:
        return unpack(arrays, self._device)

    # the held-out measurement

    def test(self, state: State, lam: Lam) -> Test:
        """Figures of `test_samples` images of the averaged weights, and the same of real images as references."""
        noise = self._noise(self._o.test_samples, self._generator("test"))
        (samples,) = self._samples(state.ema, lam[None], noise)
        samples = samples.nan_to_num()  # of a diverged training: grey, and measured
        found = self._features(samples)
        metrics = {**self._figures(samples, found), "training_steps": float(state.steps)}
        name = f"{self._extract.name} {self._extract.sha256[:12]}"
        passport = frechet_passport(found, self._held_out, name, self._extract.resize)
        passport["fid_name"] = self._extract.name
        return Test(metrics, passport, self._pixels(samples[:16]), self._curves(lam), self._references)

    def _figures(self, images: Tensor, found: NDArray[np.float64]) -> dict[str, float]:
        """fid and inception_score of images (N, C, H, W) with these features, and how near they lie to the training images.

        nearest: the median distance to the nearest training image, as a part of that of held-out images: 1 is as far as
        fresh images are, 0 is a copy.
        """
        with torch.no_grad():
            parts = torch.split(images, self._o.micro_batch)
            logits = torch.cat([self._classifier(p).logits for p in parts]).cpu().numpy()
        return {
            "fid": _distance(found, self._held_out),
            "inception_score": inception_score(logits),
            "nearest": self._away(images) / self._fresh,
        }

    @cached_property
    def _fresh(self) -> float:
        """As `_away`, of real held-out images."""
        return self._away(images(self._o, "test"))

    def _away(self, found: Tensor) -> float:
        """The median distance of at most 2,000 of the images to the nearest training image, over pixels."""
        return float(np.median(nearest(self._some(found, _LOOKED_AT), self._train)))

    @cached_property
    def _references(self) -> dict[str, dict[str, float]]:
        """The figures of real images that no model made; at most `test_samples` of each."""
        real = {"real validation images": images(self._o, "validation"), "real training images": self._train}
        some = {name: self._some(found, self._o.test_samples) for name, found in real.items()}
        return {name: self._figures(found, self._features(found)) for name, found in some.items()}

    def _some(self, found: Tensor, most: int) -> Tensor:
        """At most so many of the images, on the device, chosen at random, since real ones may be sorted by digit."""
        if len(found) > most:
            order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0))
            found = found[order[:most].to(found.device)]
        return found.to(self._device)

    def _pixels(self, samples: Tensor) -> NDArray[np.uint8]:
        """(N, H, W, 3) uint8; small images enlarged, each pixel a square."""
        scale = max(1, 32 // self._shape[-1])
        grey = ((samples + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        grey = grey.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        return np.repeat(grey.permute(0, 2, 3, 1).cpu().numpy(), 3, axis=3)

    def _curves(self, lam: Lam) -> dict[str, NDArray[np.float64]]:
        u = np.linspace(0, 1, _SHOWN)
        both = self._table(self._q(np.stack([lam, self.space.default()])), _SHOWN).cpu()
        return {
            "abar(u)": np.stack([u, *both.numpy()]),
            "log-SNR(u)": np.stack([u, *log_snr(both).numpy()]),
        }


def _distance(found: NDArray[np.float64], reference: Moments) -> float:
    return frechet(found, reference) if np.all(np.isfinite(found)) else float("inf")
