"""Guided sampling: Algorithm 5 of the paper, after Guo et al. 2024 (arXiv 2404.14743).

Image i never depends on image j, so that a micro-batch changes memory and not results.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from benchmark.errors import one_line
from tasks.reward_ft.diffusion import draws
from tasks.reward_ft.pull import Pull
from tasks.reward_ft.steps import Schedule
from tasks.samplers.protocol import Memory

LOG = logging.getLogger("benchmark")
# less than one step of 8 bits
_BLACK = 1 / 255
# relative; of a scaled step's KL
_ROUNDING = 1e-5
Mode = Literal["tilt", "lookahead", "direct"]


class LatentModel(Protocol):
    """What guided sampling needs of a model: see diffusion.Diffusion."""

    latent_shape: tuple[int, int, int]
    device: torch.device

    def text(self, prompt: str) -> Tensor: ...
    def eps(self, z: Tensor, t: int, abar: float, text: Tensor, cfg: float) -> Tensor: ...
    def decode(self, z: Tensor) -> Tensor: ...
    def look_ahead(self, z: Tensor) -> Tensor: ...
    def cure(self, decoding: bool) -> str: ...


@contextmanager
def advised() -> Iterator[None]:
    """Raises MemoryError with the options to set, where the memory ran out."""
    try:
        yield
    # on a CPU it is a plain RuntimeError, known by its text alone
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(
                f"reward_ft: out of memory ({one_line(str(error))[:160]}); set "
                "reward_ft.micro_batch=1, reward_ft.checkpointing=true, reward_ft.dtype=bf16 or a "
                "smaller reward_ft.size"
            ) from error
        raise


def _span(lam: float | Tensor) -> str:
    """lam for a message; of a batch from the least to the largest."""
    low, high = (float(lam.min()), float(lam.max())) if isinstance(lam, Tensor) else (lam, lam)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


@dataclass(frozen=True)
class Sampled:
    """images: (N, 3, H, W) in [0, 1], on the CPU; nan where strong guidance left finite numbers.

    kl: (N,) float64, each image's path KL to the unguided sampler, in nats.

    At few steps the KL is that of the discrete chain, not the closed form's. On N(0, 1) with the
    reward x, 12 steps and eta = 1 give 9.5 times the closed form on the shipped model's schedule,
    of which 8.2 come from the last step, where there is little noise, and 1.68 times on a schedule
    that ends without noise; at 1000 steps it is within 1 %. The samples' deviations are 0.83 and
    0.77 instead of 1.

    With eta = 0 the path measures are mutually singular: the KL is inf where there was guidance.
    """

    images: Tensor
    kl: Tensor


@dataclass(frozen=True)
class Sampler:
    """One pass with classifier-free guidance for one prompt, and reward guidance on top of it.

    mode `tilt`: loss -r_hat, beta = 1/lam, for p* proportional to p_data exp(r/lam); r_hat is the
    reward's linear model about the image of the pass before.
    mode `lookahead` (the paper's): loss (target - r_hat)^2 / 2, beta = guidance/lam.
    mode `direct`: as `tilt`, with the reward itself for r_hat, so that one pass is enough.
    most_kl: no image's path KL passes it: guidance is scaled down where a step would take more than
        its share of what is left.
    """

    model: LatentModel
    schedule: Schedule
    prompt: str
    cfg: float
    mode: Mode = "tilt"
    target: float = 10.0
    guidance: float = 1.0
    micro_batch: int = 64
    most_kl: float = math.inf

    def __call__(
        self, seeds: tuple[int, ...], reward: Pull | None = None, lam: float | Tensor = 1.0
    ) -> Sampled:
        """One pass over all time steps for each seed. reward None: unguided.

        lam: one for all images, or one for each, (N,).
        """
        parts = []
        with advised():
            for k in range(0, len(seeds), self.micro_batch):
                chosen = slice(k, k + self.micro_batch)
                own = None if reward is None else reward.part(chosen).to(self.model.device)
                strength = lam[chosen].to(self.model.device) if isinstance(lam, Tensor) else lam
                parts.append(self._batch(seeds[chosen], own, strength))
        return Sampled(torch.cat([p.images for p in parts]), torch.cat([p.kl for p in parts]))

    def _batch(self, seeds: tuple[int, ...], reward: Pull | None, lam: float | Tensor) -> Sampled:
        steps = len(self.schedule.t)
        noise = torch.stack([draws(s, steps, self.model.latent_shape) for s in seeds], 1).to(
            self.model.device
        )
        text, z = self.model.text(self.prompt), noise[0]
        memory: Memory = None
        kl = torch.zeros(len(seeds), dtype=torch.float64)
        held = torch.zeros(len(seeds), dtype=torch.bool)
        guided = self.schedule.guided
        # the first step with numbers that are not finite; a tensor, for reading it each step would
        # make the GPU wait
        broken = torch.full((), steps, device=self.model.device)
        with torch.no_grad():
            for k in range(steps):
                if reward is None or not guided[k]:
                    out = self.model.eps(
                        z, self.schedule.t[k], self.schedule.abar[k], text, self.cfg
                    )
                else:
                    share = (self.most_kl - kl) / sum(guided[k:])
                    out, change = self.guided_eps(k, z, text, reward, lam, share)
                    own = self._path_kl(k, change)
                    held |= own > (1 - _ROUNDING) * share
                    kl += own
                broken = broken.clamp(max=torch.where(out.isfinite().all(), steps, k))
                z, memory = self.schedule.step(k, z, out, noise[k + 1], memory)
            # a layout of its own would round differently once stored
            images = self.model.decode(z).clamp(0, 1).contiguous()
        self._inspect(int(broken), images, None if reward is None else lam)
        if held.any():
            LOG.warning(
                "guidance held back in %d of %d images, by a path KL of at most %g nats",
                int(held.sum()),
                len(held),
                self.most_kl,
            )
        # many of them are kept, and a GPU has better use for its memory
        return Sampled(images.cpu(), kl)

    def _inspect(self, broken: int, images: Tensor, lam: float | Tensor | None) -> None:
        """Warn of what is wrong with the images. Raises ValueError where the model alone did it."""
        fault = self._fault(broken, images)
        if not fault:
            return
        steps = len(self.schedule.t)
        # with guidance a warning: a search may try a lam that destroys images, and F says so
        if lam is None and not images.isfinite().all():
            raise ValueError(
                f"reward_ft: sampling without guidance gave {fault}; "
                f"{self.model.cure(broken == steps)}"
            )
        LOG.warning(
            "sampling %s: %s",
            "without guidance" if lam is None else f"guided at lam = {_span(lam)}",
            fault,
        )

    def _fault(self, broken: int, images: Tensor) -> str:
        """What is wrong with the images, or "". broken: the first step that is not finite."""
        steps = len(self.schedule.t)
        if broken < steps:
            return (
                f"numbers that are not finite from step {broken + 1} of {steps} (t = "
                f"{self.schedule.t[broken]})"
            )
        if not images.isfinite().all():
            return (
                f"numbers that are not finite after step {steps} of {steps}, from the autoencoder"
            )
        if black := int((images.amax((1, 2, 3)) < _BLACK).sum()):
            return f"{black} of {len(images)} images all black after step {steps} of {steps}"
        return ""

    def guided_eps(
        self,
        k: int,
        z: Tensor,
        text: Tensor,
        reward: Pull,
        lam: float | Tensor,
        most_kl: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The guided prediction at step k (from 0) in z, (N, C, H, W), and its change of eps.

        lam: one for all images, or one for each, (N,).  most_kl: of this step, (N,).
        """
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            out = self.model.eps(z, self.schedule.t[k], self.schedule.abar[k], text, self.cfg)
            r_hat = reward(self.model.look_ahead(self.schedule.predicted(k, z, out).x0))
            lam = lam.view(-1, 1, 1, 1) if isinstance(lam, Tensor) else lam
            if self.mode == "lookahead":
                beta, loss = self.guidance / lam, (self.target - r_hat).square() / 2
            else:
                beta, loss = 1 / lam, -r_hat
            # of a sum, not a mean: images stay independent of their number
            (slope,) = torch.autograd.grad(loss.sum(), z)
        change = (1 - self.schedule.abar[k]) ** 0.5 * beta * slope
        if most_kl is not None and math.isfinite(self.most_kl):
            # the KL is quadratic in the change; one of 0 needs no scale, and 0 / 0 is nan
            scale = (most_kl / self._path_kl(k, change)).sqrt().nan_to_num(1.0).clamp(max=1.0)
            change = change * scale.to(change).view(-1, 1, 1, 1)
        return self.schedule.shifted(k, out.detach(), change), change

    def _path_kl(self, k: int, change: Tensor) -> Tensor:
        """Girsanov: c_t^2 |change|^2 / (2 sigma_t^2), (N,)."""
        # exact for the discrete chain; what few steps add is in `Sampled`
        squared = change.double().square().sum((1, 2, 3)).cpu()
        sigma = self.schedule.sigma[k]
        if sigma == 0:
            return torch.where(squared > 0, torch.inf, 0.0).double()
        return self.schedule.coefficient(k) ** 2 * squared / (2 * sigma**2)
