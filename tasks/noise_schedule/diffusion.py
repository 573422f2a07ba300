"""The denoising network behind one call, and sampling from it, Algorithm 4 of the paper."""

from __future__ import annotations

import math
from functools import partial
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from tasks.samplers.protocol import Memory, Prediction, Solver, Span, predicted


class Predictor(Protocol):
    """x: (B, C, H, W); abar, u: (B,).  Returns the predicted noise and clean image, both as x."""

    def __call__(self, x: Tensor, abar: Tensor, u: Tensor) -> tuple[Tensor, Tensor]: ...


def mix(x0: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """sqrt(abar) x0 + sqrt(1 - abar) eps; abar: (B,)."""
    a = abar.view(-1, 1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def _network(size: int, channels: tuple[int, ...], seed: int) -> nn.Module:
    """diffusers' UNet2DModel, one block of convolutions a level, attention in the middle."""
    from diffusers import UNet2DModel

    # diffusers initialises from the global generator, which is left as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = UNet2DModel(
            sample_size=size,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=channels,
            down_block_types=("DownBlock2D",) * len(channels),
            up_block_types=("UpBlock2D",) * len(channels),
            norm_num_groups=8,
            attention_head_dim=8,
        )
    return network


def _vector(network: nn.Module) -> Tensor:
    """A copy of all its parameters, (P,)."""
    return torch.cat([p.detach().flatten() for p in network.parameters()])


class Denoiser:
    """A diffusers UNet2DModel whose parameters are views of one vector.

    prediction: `epsilon` or `v_prediction` (Salimans and Ho 2022).  conditioning: the network's
    input beside the image, `time` (u) or `noise` (the angle of abar).
    """

    def __init__(
        self, size: int, channels: tuple[int, ...], prediction: str, conditioning: str, device: str
    ) -> None:
        self._prediction, self._conditioning = prediction, conditioning
        self._make = partial(_network, size, channels)
        self.nfe = 0
        # no dropout: eval and train are the same function
        self.network = self._make(0).to(device).eval()
        # one vector: a state is four tensors, AdamW works on one, other weights are one copy away
        self.vector = nn.Parameter(_vector(self.network))
        self.vector.grad = torch.zeros_like(self.vector)
        place = 0
        for p in self.network.parameters():
            part = slice(place, place := place + p.numel())
            p.data = self.vector.data[part].view_as(p)
            p.grad = self.vector.grad[part].view_as(p)

    def fresh(self, seed: int) -> Tensor:
        """Initial weights (P,) for a seed, the same on every device: drawn on the CPU."""
        return _vector(self._make(seed)).to(self.vector.device)

    def take(self, weights: Tensor) -> None:
        """Copy weights (P,) into the network, for the calls that follow."""
        self.vector.data.copy_(weights)

    def raw(self, x: Tensor, abar: Tensor, u: Tensor) -> Tensor:
        """The network's output, as x. Counts one evaluation an image, three with gradients."""
        self.nfe += len(x) * (3 if torch.is_grad_enabled() else 1)
        # the angle means the same under every schedule; under the plain cosine it is nearly u
        level = u if self._conditioning == "time" else torch.acos(abar.sqrt()) * (2 / math.pi)
        # diffusers embeds times of 0 to 1000
        return cast(Tensor, self.network(x, 1000 * level).sample)

    def target(self, x0: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
        """What `raw` is trained to give."""
        return eps if self._prediction == "epsilon" else mix(eps, -x0, abar)

    def __call__(self, x: Tensor, abar: Tensor, u: Tensor) -> Prediction:
        v = self._prediction == "v_prediction"
        return predicted(x, self.raw(x, abar, u), abar.view(-1, 1, 1, 1), v)


def sample(
    predict: Predictor,
    x: Tensor,
    abar: Tensor,
    u: Tensor,
    *,
    solver: Solver,
    clip: float | None = 1.0,
    differentiated: int = 0,
) -> Tensor:
    """Algorithm 4, without noise. Returns the last predicted clean image, (B, C, H, W).

    x: (B, C, H, W) noise.  abar: (B, steps + 1) from noisy to clean.  u: (steps + 1,).  clip:
    limit of predicted images, or None.  differentiated: how many of the last steps carry gradients.
    """
    last = len(u) - 2
    memory: Memory = None
    for i in range(last + 1):
        with torch.set_grad_enabled(i > last - differentiated):
            now, to = (abar[:, j].view(-1, 1, 1, 1) for j in (i, i + 1))
            found = Prediction(*predict(x, abar[:, i], u[i].expand(len(x))))
            if clip is not None:
                # the noise that belongs to the clipped image, else the two contradict each other
                x0 = found.x0.clamp(-clip, clip)
                found = Prediction((x - now.sqrt() * x0) / (1 - now).sqrt(), x0)
            x, memory = solver.step(x, found, Span(now, to, i == last), None, memory)
    return found.x0
