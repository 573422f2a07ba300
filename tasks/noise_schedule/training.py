"""The lower level, Algorithm 3: denoising score matching with AdamW and an EMA of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.noise_schedule.diffusion import Denoiser, mix

# of a loss that is 1 for a network which predicts nothing
_TOO_LARGE = 1e3


@dataclass(frozen=True)
class State:
    """A value. weights, ema: (P,) float32; ema is the average.  first, second: AdamW's moments.

    steps: taken so far.  seed: of the data's order.
    diverged: F is inf; the weights are the last finite ones.
    """

    weights: Tensor
    ema: Tensor
    first: Tensor
    second: Tensor
    steps: int
    seed: int
    diverged: bool = False


_TENSORS = ("weights", "ema", "first", "second")


def pack(state: State) -> dict[str, NDArray[Any]]:
    """As arrays on the CPU; `steps`, `seed` and `diverged` in one, (3,) int64."""
    tensors = {name: getattr(state, name).cpu().numpy() for name in _TENSORS}
    return {
        **tensors,
        "counts": np.array([state.steps, state.seed, state.diverged], dtype=np.int64),
    }


def unpack(arrays: Mapping[str, NDArray[Any]], device: str = "cpu") -> State:
    """The inverse of `pack`; continues bit for bit."""
    steps, seed, diverged = arrays["counts"].tolist()
    tensors = {name: torch.tensor(arrays[name], device=device) for name in _TENSORS}
    return State(**tensors, steps=steps, seed=seed, diverged=bool(diverged))


@dataclass(frozen=True)
class Batch:
    """x0, eps: (B, C, H, W).  t: (B,) int64 in 1..time steps."""

    x0: Tensor
    t: Tensor
    eps: Tensor

    @classmethod
    def draw(cls, images: Tensor, size: int, time_steps: int, generator: torch.Generator) -> Batch:
        """`size` images (N, C, H, W) with replacement, each with a time step and noise."""
        # drawn on the CPU, so that a seed means the same on every device
        chosen = torch.randint(len(images), (size,), generator=generator)
        t = torch.randint(1, time_steps + 1, (size,), generator=generator)
        eps = torch.randn(size, *images.shape[1:], generator=generator)
        device = images.device
        return cls(images[chosen.to(device)], t.to(device), eps.to(device))


def score_matching(model: Denoiser, batch: Batch, table: Tensor) -> Tensor:
    """G, the mean squared error of the prediction, differentiable in the table.

    table: abar at time steps 0 to T, (T + 1,) float64.
    """
    abar = table[batch.t].float()
    out = model.raw(mix(batch.x0, batch.eps, abar), abar, batch.t / (len(table) - 1))
    return (out - model.target(batch.x0, batch.eps, abar)).square().mean()


class Trainer:
    """One AdamW over the model's one vector; the moments live in the states."""

    def __init__(self, model: Denoiser, lr: float, ema: float) -> None:
        self._model, self._ema = model, ema
        self._optimizer = torch.optim.AdamW([model.vector], lr=lr, fused=True)

    def init(self, seed: int) -> State:
        weights = self._model.fresh(seed)
        return State(
            weights, weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights), 0, seed
        )

    def step(self, state: State, batch: Batch, table: Tensor, extra: Tensor | None = None) -> State:
        """One step on G. extra: (P,), added to its gradient. The given state stays as it was."""
        vector, grad = self._model.vector, self._model.vector.grad
        assert grad is not None
        self._model.take(state.weights)
        grad.zero_()
        with torch.enable_grad():
            loss = score_matching(self._model, batch, table)
            loss.backward()  # type: ignore[no-untyped-call]
        if extra is not None:
            grad += extra
        # AdamW works in place, so it gets copies of the state's moments
        first, second = state.first.clone(), state.second.clone()
        steps = torch.tensor(float(state.steps), device=vector.device)
        self._optimizer.state[vector] = {"step": steps, "exp_avg": first, "exp_avg_sq": second}
        self._optimizer.step()
        weights = vector.detach().clone()
        value = float(loss.detach())
        k = state.steps + 1
        # `not <` is true for nan as well
        if not value < _TOO_LARGE or not bool(torch.isfinite(weights).all()):
            return replace(state, steps=k, diverged=True)
        # a short average at first, which forgets the initial weights early
        decay = min(self._ema, (1 + k) / (10 + k))
        return State(weights, torch.lerp(weights, state.ema, decay), first, second, k, state.seed)
