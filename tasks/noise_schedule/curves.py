"""The curves of noise schedules over u, differentiable in q."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tasks.noise_schedule.families import FLOOR, linear

# of a log-SNR that is infinite at u = 0 and 1
_EDGE = 1e-6


def curve(kind: str, q: Tensor, u: Tensor) -> Tensor:
    """f(u) of a normalised family, else the log-SNR. q: (..., d).  u: (M,).  Returns (..., M)."""
    return _CURVES[kind](q, u)


def _cosine(q: Tensor, u: Tensor) -> Tensor:
    start, end, tau, eps = (q[..., i, None] for i in range(4))
    angle = math.pi / 2 * (start + u * (end - start) + eps) / (1 + eps)
    return torch.cos(angle).clamp(min=FLOOR) ** (2 * tau)


def _sigmoid(q: Tensor, u: Tensor) -> Tensor:
    start, end, tau = (q[..., i, None] for i in range(3))
    return torch.sigmoid(-(start + u * (end - start)) / tau)


def _laplace(q: Tensor, u: Tensor) -> Tensor:
    away = u.clamp(_EDGE, 1 - _EDGE) - 0.5
    return q[..., 0, None] + q[..., 1, None] * away.sign() * torch.log1p(-2 * away.abs())


def _logit_normal(q: Tensor, u: Tensor) -> Tensor:
    quantiles: Tensor = torch.special.ndtri(u.clamp(_EDGE, 1 - _EDGE))
    return q[..., 0, None] - q[..., 1, None] * quantiles


def _knots(q: Tensor, u: Tensor) -> Tensor:
    """Linear between knots that are even in u; it falls, since each drop is above 0."""
    knots = q.shape[-1]
    usual = torch.from_numpy(-np.diff(linear(knots))).to(q)
    drops = usual * torch.cat([torch.ones_like(q[..., :1]), q[..., 2:]], -1)
    fallen = torch.cat([torch.zeros_like(q[..., :1]), drops.cumsum(-1)], -1)
    start, end = q[..., :1], q[..., 1:2]
    values = start - (start - end) * fallen / fallen[..., -1:]
    place = u * (knots - 1)
    left = place.long().clamp(max=knots - 2)
    part = place - left
    return torch.lerp(values[..., left], values[..., left + 1], part)


_CURVES = {
    "cosine": _cosine,
    "sigmoid": _sigmoid,
    "laplace": _laplace,
    "logit_normal": _logit_normal,
    "knots": _knots,
}
