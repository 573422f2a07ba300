"""The noise schedule abar(u; q), u in [0, 1], float64."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.noise_schedule.curves import curve
from tasks.noise_schedule.families import NORMALISED

_ENDS = (0.0, 1.0)


def abar(kind: str, q: Tensor, u: Tensor, floor: float) -> Tensor:
    """abar(u), clamped to [floor, 1 - floor]; (..., M), falling in u.

    q: (..., d) float64, native values in the order of `axes`.  u: (M,) float64. A normalised family
    has (f(u) - f(1)) / (f(0) - f(1)), the others sigmoid(log-SNR).
    """
    f = curve(kind, q, u)
    if kind not in NORMALISED:
        return torch.sigmoid(f).clamp(floor, 1 - floor)
    ends = curve(kind, q, q.new_tensor(_ENDS))
    return ((f - ends[..., 1:]) / (ends[..., :1] - ends[..., 1:])).clamp(floor, 1 - floor)


def log_snr(values: Tensor) -> Tensor:
    """log(abar / (1 - abar))."""
    return torch.log(values) - torch.log1p(-values)
