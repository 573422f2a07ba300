"""The noise schedule abar(u; q), u in [0, 1], float64 and differentiable in q: start, end, tau, and eps for `cosine`.

Source: Nichol and Dhariwal 2021 (cosine); Chen 2023, arXiv 2301.10972 (sigmoid, start, end, tau).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.space import Float, Space

# The defaults are DDPM's linear betas (Ho et al. 2020), which diffusers takes for a user who does not tune: the point of
# each family nearest to them, abar within 0.010 (cosine) and 0.018 (sigmoid) at every u.
PARAMETERS = {"cosine": ("start", "end", "tau", "eps"), "sigmoid": ("start", "end", "tau")}
_AXES = {
    "cosine": {
        "start": Float("start", 0.0, 0.4, default=0.0, grid=(0.0, 0.2, 0.4)),
        "end": Float("end", 0.8, 1.0, default=1.0, grid=(0.8, 1.0)),
        "tau": Float("tau", 0.25, 8.0, default=3.78, log=True, grid=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0)),
        "eps": Float("eps", 0.005, 0.04, default=0.008, grid=(0.008,)),
    },
    "sigmoid": {
        "start": Float("start", -6.0, 0.0, default=-2.6, grid=(-6.0, -3.0, 0.0)),
        "end": Float("end", 0.5, 9.0, default=7.9, grid=(1.0, 3.0, 9.0)),
        "tau": Float("tau", 0.25, 4.0, default=0.99, log=True, grid=(0.25, 0.5, 1.0, 2.0, 4.0)),
    },
}


_BOUNDS = {"tau": (0.01, 100.0), "eps": (0.0, 1.0)}


def _curve(kind: str, q: Tensor, u: Tensor) -> Tensor:
    """f(u), before normalisation. q: (..., d).  u: (M,).  Returns (..., M)."""
    start, end, tau = (q[..., i, None] for i in range(3))
    position = start + u * (end - start)
    if kind == "cosine":
        eps = q[..., 3, None]
        # the floor keeps d/dtau of 0^(2 tau) finite where the angle reaches pi/2
        return torch.cos(math.pi / 2 * (position + eps) / (1 + eps)).clamp(min=1e-30) ** (2 * tau)
    return torch.sigmoid(-position / tau)


def abar(kind: str, q: Tensor, u: Tensor, floor: float) -> Tensor:
    """(f(u) - f(1)) / (f(0) - f(1)), clamped to [floor, 1 - floor]; 1 at u = 0, 0 at u = 1 but for the clamp.

    q: (..., d) float64, native values in the order of PARAMETERS.  u: (M,) float64.  Returns (..., M), decreasing in u.
    """
    f, ends = _curve(kind, q, u), _curve(kind, q, torch.tensor([0.0, 1.0], dtype=q.dtype, device=q.device))
    return ((f - ends[..., 1:]) / (ends[..., :1] - ends[..., 1:])).clamp(floor, 1 - floor)


def log_snr(values: Tensor) -> Tensor:
    """log(abar / (1 - abar))."""
    return torch.log(values) - torch.log1p(-values)


def space(kind: str, ranges: dict[str, str]) -> Space:
    """The axes of a schedule. ranges: "low,high" by name, empty for the suite's own. Raises UsageError.

    start < end holds everywhere because their ranges do not meet.
    """
    for name, text in ranges.items():
        if text and name not in PARAMETERS[kind]:
            raise UsageError(f"option noise_schedule.{name}: the {kind} schedule has no {name}; leave it out")
    axes = {name: _axis(_AXES[kind][name], ranges.get(name, "")) for name in PARAMETERS[kind]}
    start, end = axes["start"], axes["end"]
    if start.high >= end.low:
        raise UsageError(
            f"option noise_schedule.start: expected all of it below noise_schedule.end, got start in "
            f"[{start.low:g}, {start.high:g}] and end in [{end.low:g}, {end.high:g}]; make the ranges disjoint"
        )
    if kind == "cosine" and not (start.low >= 0 and end.high <= 1):
        raise UsageError(
            f"option noise_schedule.end: the cosine schedule expects start and end in [0, 1], "
            f"got [{start.low:g}, {end.high:g}]"
        )
    found = Space(tuple(axes.values()))
    corners = [
        list(found.native(np.array(c, dtype=float)).values()) for c in itertools.product((0, 1), repeat=found.dim)
    ]
    f = _curve(kind, torch.tensor(corners, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64))
    if not bool((f[:, 0] - f[:, 1] > 1e-9).all()):
        raise UsageError(
            f"option noise_schedule.tau: within the ranges of {', '.join(PARAMETERS[kind])} the {kind} schedule is flat "
            "to the last digit, so that it cannot be normalised; narrow them towards the suite's own"
        )
    return found


def _axis(axis: Float, text: str) -> Float:
    if not text:
        return axis
    name = f"option noise_schedule.{axis.name}"
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{name}: expected two numbers LOW,HIGH such as {axis.low:g},{axis.high:g}, got {text!r}"
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"{name}: expected finite LOW < HIGH, got {text!r}")
    if (axis.name == "tau" and low <= 0) or (axis.name == "eps" and low < 0):
        raise UsageError(f"{name}: expected LOW {'above' if axis.name == 'tau' else 'at least'} 0, got {text!r}")
    if axis.name in _BOUNDS and not (_BOUNDS[axis.name][0] <= low and high <= _BOUNDS[axis.name][1]):
        raise UsageError(f"{name}: expected a range within {list(_BOUNDS[axis.name])}, got {text!r}")
    kept = tuple(v for v in axis.grid if low <= v <= high)
    default = min(max(axis.default, low), high)
    return Float(axis.name, low, high, default, axis.log, kept if len(kept) > 1 else ())
