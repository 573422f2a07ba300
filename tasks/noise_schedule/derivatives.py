"""Derivatives of noise_schedule: d_q G by autograd; d_q F and d_theta F by differences.

d_theta F may also be differentiated through the last steps of sampling (`truncated`).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmark.space import Lam
from tasks.noise_schedule import distance
from tasks.noise_schedule.sampling import Sampling
from tasks.noise_schedule.training import State, score_matching
from tasks.zeroth_order import coordinates, directions


def q_gradient(s: Sampling, state: State, lam: Lam, tilt: float) -> Lam:
    """d_q G at the weights (Algorithm 6), in the unit cube, (d,).

    tilt: with common=false it chooses the draws, so that z and y have different ones.
    """
    q = s.q(lam[None], s.choices.trained)[0].requires_grad_()
    s.model.take(state.weights)
    with torch.enable_grad():
        table = s.table(q, s.o.time_steps + 1)
        # y and z share this batch: gamma would multiply the noise of two
        batch = s.batch(s.shared_generator("gradient", state, tilt))
        (slope,) = torch.autograd.grad(score_matching(s.model, batch, table), q)
    # G says nothing of a sampling schedule of its own
    native = dict.fromkeys(s.choices.sampled, 0.0)
    native |= dict(zip(s.choices.trained, slope.tolist(), strict=True))
    return s.space.pullback(lam, native)


def q_slope(s: Sampling, state: State, lam: Lam) -> Lam:
    """d_q F at the averaged weights, as the options ask for it, in the unit cube, (d,)."""
    return (q_autograd if s.o.by_q == "autograd" else q_difference)(s, state, lam)


def q_autograd(s: Sampling, state: State, lam: Lam) -> Lam:
    """d_q F through every step of sampling, on the noise that differences share."""
    noise = s.noise_for("q", 1, state).reshape(-1, *s.shape)
    q = s.q(lam[None], s.choices.sampled)[0].requires_grad_()
    with torch.enable_grad():
        samples = s.sampled(state.ema, q[None], noise, differentiated=s.o.steps)[0]
        features = s.extract(samples).features
        if not bool(features.isfinite().all()):
            return np.full(s.space.dim, np.nan)
        (slope,) = torch.autograd.grad(distance.frechet(features, s.validation), q)
    native = dict.fromkeys(s.choices.trained, 0.0)
    native |= dict(zip(s.choices.sampled, slope.tolist(), strict=True))
    return s.space.pullback(lam, native)


def q_difference(s: Sampling, state: State, lam: Lam) -> Lam:
    """d_q F at the averaged weights, by differences."""
    # with the weights held, F knows a schedule by sampling alone
    own = np.array([axis.name in s.choices.sampled for axis in s.space.axes])
    k = s.o.directions
    noise = s.noise_for("q", 2 * (k or int(own.sum())), state)
    values = partial(s.distances, state.ema, noise)
    if not k:
        return coordinates(values, lam, s.o.nu, own)
    rng = np.random.default_rng(s.substream("directions", state.seed, state.steps))
    return directions(values, lam, s.o.nu, rng.standard_normal((k, s.space.dim)) * own)


def theta_gradient(s: Sampling, state: State, lam: Lam) -> Tensor:
    """An estimate of d_theta F, (P,)."""
    # at the averaged weights, those that F is about; it is then applied to the weights
    estimate = _theta_difference if s.o.theta == "zeroth_order" else _theta_truncated
    return estimate(s, state, lam)


def _theta_difference(s: Sampling, state: State, lam: Lam) -> Tensor:
    generator = s.generator("weights", state.seed, state.steps)
    # drawn on the CPU: a seed then means the same on every device
    v = torch.randn(state.ema.shape, generator=generator).to(s.device)
    noise = s.noise_for("theta", 2, state)
    up, down = (
        s.distances(
            state.ema + sign * s.o.nu * v, noise[k] if noise.dim() == 5 else noise, lam[None]
        )[0]
        for k, sign in enumerate((1, -1))
    )
    return float(up - down) / (2 * s.o.nu) * v


def _theta_truncated(s: Sampling, state: State, lam: Lam) -> Tensor:
    grad = s.model.vector.grad
    assert grad is not None
    grad.zero_()
    noise = s.noise_for("theta", 1, state).reshape(-1, *s.shape)
    samples = s.samples(state.ema, lam[None], noise, s.o.truncation)[0]
    with torch.enable_grad():
        value = distance.frechet(s.extract(samples).features, s.validation)
        value.backward()  # type: ignore[no-untyped-call]
    # the model's one buffer of gradients, which the next training step overwrites
    return grad.clone()
