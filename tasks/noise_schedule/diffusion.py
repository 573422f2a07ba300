"""The denoising network behind one call, and DDIM (Song et al. 2021), which is Algorithm 4 of the paper."""

from __future__ import annotations

import math
from functools import partial
from typing import Protocol, cast

import torch
from torch import Tensor, nn


class Predictor(Protocol):
    """x: (B, C, H, W); abar, u: (B,).  Returns the predicted noise and the predicted clean image, both as x."""

    def __call__(self, x: Tensor, abar: Tensor, u: Tensor) -> tuple[Tensor, Tensor]: ...


def mix(x0: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """sqrt(abar) x0 + sqrt(1 - abar) eps; abar: (B,)."""
    a = abar.view(-1, 1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def _network(size: int, channels: tuple[int, ...], seed: int) -> nn.Module:
    """diffusers' UNet2DModel, one block of convolutions a level, attention in the middle."""
    from diffusers import UNet2DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found: nn.Module = UNet2DModel(
            sample_size=size, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=channels,
            down_block_types=("DownBlock2D",) * len(channels), up_block_types=("UpBlock2D",) * len(channels),
            norm_num_groups=8, attention_head_dim=8,
        )  # fmt: skip
    return found


def _vector(network: nn.Module) -> Tensor:
    """A copy of all its parameters, (P,)."""
    return torch.cat([p.detach().flatten() for p in network.parameters()])


class Denoiser:
    """A diffusers UNet2DModel whose parameters are views of one vector, so that other weights are one copy away.

    prediction: `epsilon` or `v_prediction` (Salimans and Ho 2022).  conditioning: what the network is told, `time` u
    or `noise`, the angle of abar, which for the plain cosine schedule is nearly u and means the same under every schedule.
    """

    def __init__(self, size: int, channels: tuple[int, ...], prediction: str, conditioning: str, device: str) -> None:
        self._prediction, self._conditioning = prediction, conditioning
        self._make = partial(_network, size, channels)
        self.nfe = 0
        self.network = self._make(0).to(device).eval()  # no dropout: eval and train are the same function
        self.vector = nn.Parameter(_vector(self.network))
        self.vector.grad = torch.zeros_like(self.vector)
        place = 0
        for p in self.network.parameters():
            part = slice(place, place := place + p.numel())
            p.data = self.vector.data[part].view_as(p)
            p.grad = self.vector.grad[part].view_as(p)

    def fresh(self, seed: int) -> Tensor:
        """Initial weights (P,) for a seed, drawn on the CPU, so that they are the same on every device."""
        return _vector(self._make(seed)).to(self.vector.device)

    def take(self, weights: Tensor) -> None:
        """Copy weights (P,) into the network, for the calls that follow."""
        self.vector.data.copy_(weights)

    def raw(self, x: Tensor, abar: Tensor, u: Tensor) -> Tensor:
        """The network's output, as x; counts one evaluation an image, three where it is differentiated."""
        self.nfe += len(x) * (3 if torch.is_grad_enabled() else 1)
        told = u if self._conditioning == "time" else torch.acos(abar.sqrt()) * (2 / math.pi)
        return cast(Tensor, self.network(x, 1000 * told).sample)

    def target(self, x0: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
        """What `raw` is trained to give."""
        return eps if self._prediction == "epsilon" else mix(eps, -x0, abar)

    def __call__(self, x: Tensor, abar: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        out, a = self.raw(x, abar, u), abar.view(-1, 1, 1, 1)
        if self._prediction == "epsilon":
            return out, (x - (1 - a).sqrt() * out) / a.sqrt()
        return a.sqrt() * out + (1 - a).sqrt() * x, a.sqrt() * x - (1 - a).sqrt() * out


def ddim(
    predict: Predictor, x: Tensor, abar: Tensor, u: Tensor, *, clip: float | None = 1.0, differentiated: int = 0
) -> Tensor:
    """Algorithm 4: deterministic DDIM. x: (B, C, H, W) noise; abar: (B, steps + 1) from noisy to clean; u: (steps + 1,).

    The prediction of x0 is clipped to [-clip, clip] and the noise made to agree with it. The last `differentiated` steps
    carry a derivative. Returns the last x0.
    """
    last = len(u) - 2
    for i in range(last + 1):
        with torch.set_grad_enabled(i > last - differentiated):
            a = abar[:, i].view(-1, 1, 1, 1)
            eps, x0 = predict(x, abar[:, i], u[i].expand(len(x)))
            if clip is not None:
                x0 = x0.clamp(-clip, clip)
                eps = (x - a.sqrt() * x0) / (1 - a).sqrt()
            x = mix(x0, eps, abar[:, i + 1])
    return x0
