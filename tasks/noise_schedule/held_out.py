"""The held-out measurement of noise_schedule: figures of samples, and of real images."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.protocol import FeaturePairs, Test
from benchmark.space import Lam
from tasks.measure.frechet import Moments, frechet_passport
from tasks.measure.pictures import pictures
from tasks.measure.scores import inception_score, nearest
from tasks.noise_schedule.images import images
from tasks.noise_schedule.sampling import Sampling, distance_to
from tasks.noise_schedule.schedule import log_snr
from tasks.noise_schedule.training import State

# images of a median distance: against 50,000 others it takes seconds
_LOOKED_AT = 2000
# points of a curve over u
_SHOWN = 101


class HeldOut:
    """The final measurement. moments: of the features of the test images."""

    def __init__(self, sampling: Sampling) -> None:
        self._s, self._o = sampling, sampling.o
        self.moments = Moments.of(sampling.features(images(self._o, "test")))

    def measure(self, state: State, lam: Lam) -> Test:
        """Figures of `test_samples` samples of the averaged weights, and of real images."""
        s, samples = self._s, self._sampled(state.ema, lam)
        features = s.features(samples)
        metrics = {**self.figures(samples, features), "training_steps": float(state.steps)}
        name = self._network
        passport = frechet_passport(features, self.moments, name, s.extract.resize)
        passport["fid_name"] = s.extract.name
        pixels, curves = self._pixels(samples[:16]), self._curves(lam)
        return Test(metrics, passport, pixels, curves, self.references, metrics.get("fid"))

    @property
    def _network(self) -> str:
        """For passports."""
        return f"{self._s.extract.name} {self._s.extract.sha256[:12]}"

    def _sampled(self, ema: Tensor, lam: Lam) -> Tensor:
        s = self._s
        noise = s.noise(self._o.test_samples, s.generator("test"))
        (samples,) = s.samples(ema, lam[None], noise)
        # a diverged training is measured too: its images become grey
        found: Tensor = samples.nan_to_num()
        return found

    def compared(self, ema: Tensor, lam: Lam) -> FeaturePairs:
        """Images of these weights beside the test images, in the features of FID."""
        s = self._s
        samples, test = self._sampled(ema, lam), images(self._o, "test")
        made, real = s.features(samples), s.features(test)
        seen = pictures(
            (samples + 1) / 2, lambda: [(test + 1) / 2], self.moments.digest, device=s.device
        )
        return FeaturePairs({"frechet": made}, {"frechet": real}, {"frechet": self._network}, seen)

    def figures(self, found: Tensor, features: NDArray[np.float64]) -> dict[str, float]:
        """fid, inception_score and nearest of images (N, C, H, W) with these features, (N, D).

        nearest: the median distance to the nearest training image, divided by that of held-out
        images. 1: as far as fresh images are; 0: a copy.
        """
        with torch.no_grad():
            parts = torch.split(found, self._o.micro_batch)
            logits = torch.cat([self._s.classifier(p).logits for p in parts]).cpu().numpy()
        return {
            "fid": distance_to(features, self.moments),
            "inception_score": inception_score(logits),
            "nearest": self._away(found) / self._fresh,
        }

    @cached_property
    def references(self) -> dict[str, dict[str, float]]:
        """The figures of real images that no model made; at most `test_samples` of each."""
        real = {
            "real validation images": images(self._o, "validation"),
            "real training images": self._s.train,
        }
        some = {name: self._some(found, self._o.test_samples) for name, found in real.items()}
        return {name: self.figures(found, self._s.features(found)) for name, found in some.items()}

    @cached_property
    def _fresh(self) -> float:
        """As `_away`, of real held-out images."""
        return self._away(images(self._o, "test"))

    def _away(self, found: Tensor) -> float:
        """The median distance over pixels of some of the images to the nearest training image."""
        return float(np.median(nearest(self._some(found, _LOOKED_AT), self._s.train)))

    def _some(self, found: Tensor, most: int) -> Tensor:
        """At most so many of the images, on the device."""
        # at random, since real images may be sorted by digit
        if len(found) > most:
            order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0))
            found = found[order[:most].to(found.device)]
        return found.to(self._s.device)

    def _pixels(self, samples: Tensor) -> NDArray[np.uint8]:
        """(N, H, W, 3) uint8; small images enlarged, each pixel a square."""
        scale = max(1, 32 // self._s.shape[-1])
        grey = ((samples + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        grey = grey.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        return np.repeat(grey.permute(0, 2, 3, 1).cpu().numpy(), 3, axis=3)

    def _curves(self, lam: Lam) -> dict[str, NDArray[np.float64]]:
        s, u = self._s, np.linspace(0, 1, _SHOWN)
        schedules = {"": s.choices.sampled}
        if not s.choices.tie:
            schedules = {" of training": s.choices.trained, " of sampling": s.choices.sampled}
        found = {}
        for of, names in schedules.items():
            both = s.table(s.q(np.stack([lam, s.space.default()]), names), _SHOWN).cpu()
            found[f"abar(u){of}"] = np.stack([u, *both.numpy()])
            found[f"log-SNR(u){of}"] = np.stack([u, *log_snr(both).numpy()])
        return found
