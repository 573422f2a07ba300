"""The oracles of noise_schedule. A state is the training of one network.

`step` is one step of Algorithm 3, `loss` one run of Algorithm 4.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.protocol import FeaturePairs, Test
from benchmark.space import Lam
from tasks.noise_schedule.derivatives import q_gradient, q_slope, theta_gradient
from tasks.noise_schedule.held_out import HeldOut
from tasks.noise_schedule.sampling import Sampling
from tasks.noise_schedule.training import State, Trainer, pack, score_matching, unpack
from tasks.precision import exact

if TYPE_CHECKING:
    from tasks.noise_schedule import NoiseSchedule

LOG = logging.getLogger("benchmark")


class NoiseScheduleTask:
    """sampling: what the oracles share.  held_out: the final measurement."""

    def __init__(self, options: NoiseSchedule, seed: int, device: str) -> None:
        # else z differs from y by rounding, which AdamW and gamma enlarge
        exact(device)
        self._o = options
        self.sampling = Sampling(options, seed, device)
        self.held_out = HeldOut(self.sampling)
        self.space = self.sampling.space
        self.horizon = options.horizon
        self._trainer = Trainer(self.sampling.model, options.learning_rate, options.ema)

    @property
    def nfe(self) -> int:
        return self.sampling.model.nfe

    def warm_up(self) -> None:
        """Each oracle once."""
        lam = self.space.default()
        state = self.step(self.init(0), lam)
        self.loss(state, lam)
        self.grad(state, lam, 1e-3)

    def init(self, seed: int) -> State:
        return self._trainer.init(self.sampling.substream("init", seed))

    def step(self, state: State, lam: Lam, tilt: float = 0.0) -> State:
        """Algorithm 3; with a tilt also down d_theta F. A diverged state stays so."""
        if state.diverged:
            return state
        s, table = self.sampling, self._table(lam)
        with_theta = tilt and self._o.theta != "none"
        extra = tilt * theta_gradient(s, state, lam) if with_theta else None
        batch = s.batch(s.generator("batch", state.seed, state.steps))
        after = self._trainer.step(state, batch, table, extra)
        # no error: a search may try such a lam, and F = inf is its answer
        if after.diverged:
            LOG.warning("a training diverged; its F counts as infinite")
        return after

    def loss(self, state: State, lam: Lam) -> float:
        """F at the averaged weights: `samples` images against validation; inf if diverged."""
        if state.diverged:
            return float("inf")
        s = self.sampling
        noise = s.noise(self._o.samples, s.generator("validation"))
        return float(s.distances(state.ema, noise, lam[None])[0])

    def grad(self, state: State, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F, in the unit cube, (d,); nan if diverged."""
        if state.diverged:
            return np.full(self.space.dim, np.nan)
        total = q_gradient(self.sampling, state, lam, tilt)
        if tilt:
            total = total + tilt * q_slope(self.sampling, state, lam)
        return total

    def lower(self, state: State, lam: Lam) -> float:
        """G on the batch of `grad`, inf if diverged; not counted."""
        if state.diverged:
            return float("inf")
        s = self.sampling
        counted = s.model.nfe
        s.model.take(state.weights)
        with torch.no_grad():
            batch = s.batch(s.shared_generator("gradient", state, 0.0))
            value = float(score_matching(s.model, batch, self._table(lam)))
        # asked for by `bench check`, never by a method
        s.model.nfe = counted
        return value

    def pack(self, state: State) -> Mapping[str, NDArray[Any]]:
        return pack(state)

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> State:
        return unpack(arrays, self.sampling.device)

    def test(self, state: State, lam: Lam) -> Test:
        """As `HeldOut.measure`."""
        return self.held_out.measure(state, lam)

    def answer(self, state: State, lam: Lam) -> dict[str, NDArray[Any]]:
        """The averaged weights."""
        return {"ema": state.ema.detach().cpu().numpy()}

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        ema = torch.from_numpy(answer["ema"]).to(self.sampling.device)
        return self.held_out.compared(ema, lam)

    def _table(self, lam: Lam) -> Tensor:
        """abar at the time steps of training, (T + 1,)."""
        with torch.no_grad():
            s = self.sampling
            return s.table(s.q(lam[None], s.choices.trained)[0], self._o.time_steps + 1)
