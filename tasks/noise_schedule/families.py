"""Families of noise schedules and their axes; `curves` has their curves.

`cosine` and `sigmoid` give f(u), which is normalised to go from 1 to 0; the others the log-SNR
itself. Sources: Nichol and Dhariwal 2021 (cosine); Chen 2023, arXiv 2301.10972 (sigmoid; start,
end, tau); Hang et al. 2024, arXiv 2407.03297 (laplace); Esser et al. 2024, arXiv 2403.03206
(logit_normal, whose m and s are -mu/2 and scale/2).

The training time is uniform in u, so a schedule is also a distribution of the noise level that is
trained on: the log-SNR is Laplace- or normally distributed, or has as much weight between two knots
as any other two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.space import Float

FAMILIES = ("cosine", "sigmoid", "laplace", "logit_normal", "knots")
NORMALISED = ("cosine", "sigmoid")
# The defaults are DDPM's linear betas (Ho et al. 2020), which diffusers takes for a user who does
# not tune: the point of each family nearest to them, abar within 0.010 (cosine), 0.018 (sigmoid),
# 0.039 (laplace), 0.012 (logit_normal) and 0.019 (8 knots) at every u.
_AXES = {
    "cosine": (
        Float("start", 0.0, 0.4, default=0.0, grid=(0.0, 0.2, 0.4)),
        Float("end", 0.8, 1.0, default=1.0, grid=(0.8, 1.0)),
        Float("tau", 0.25, 8.0, default=3.78, log=True, grid=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0)),
        Float("eps", 0.005, 0.04, default=0.008, grid=(0.008,)),
    ),
    "sigmoid": (
        Float("start", -6.0, 0.0, default=-2.6, grid=(-6.0, -3.0, 0.0)),
        Float("end", 0.5, 9.0, default=7.9, grid=(1.0, 3.0, 9.0)),
        Float("tau", 0.25, 4.0, default=0.99, log=True, grid=(0.25, 0.5, 1.0, 2.0, 4.0)),
    ),
    "laplace": (
        Float("mu", -4.0, 4.0, default=-2.08, grid=(-4.0, -2.0, 0.0, 2.0, 4.0)),
        Float("scale", 0.5, 8.0, default=2.94, log=True, grid=(0.5, 1.0, 2.0, 4.0, 8.0)),
    ),
    "logit_normal": (
        Float("mu", -4.0, 4.0, default=-2.35, grid=(-4.0, -2.0, 0.0, 2.0, 4.0)),
        Float("scale", 0.5, 8.0, default=3.6, log=True, grid=(0.5, 1.0, 2.0, 4.0, 8.0)),
    ),
}
FLOOR = 1e-30
"""Of the cosine: it keeps d/dtau of 0^(2 tau) finite where the angle reaches pi/2."""
# a drop of the log-SNR between two knots, against the first one's, as a multiple of the linear
# betas'
_DROPS = (0.125, 8.0)


def axes(kind: str, knots: int) -> tuple[Float, ...]:
    """Of a family, in the order of q. knots: of `knots`, which has as many axes."""
    if kind != "knots":
        return _AXES[kind]
    first, last = (float(v) for v in linear(knots)[[0, -1]])
    # one point along the drops: a grid over all of them would have no end
    drops = (Float(f"drop{k}", *_DROPS, 1.0, True, (1.0,)) for k in range(2, knots))
    return (
        Float("start", 2.0, 10.0, default=first, grid=(3.0, first, 10.0)),
        Float("end", -11.0, -2.0, default=last, grid=(-11.0, -6.0, -3.0)),
        *drops,
    )


def linear(knots: int) -> NDArray[np.float64]:
    """The log-SNR of linear betas at the knots, and in the middle of the first piece."""

    def found(u: NDArray[np.float64]) -> NDArray[np.float64]:
        # abar(u) = exp(-integral of beta), beta from 1e-4 to 0.02 over 1000 steps
        spent = 0.1 * u + 19.9 * u**2 / 2
        return np.asarray(-spent - np.log(-np.expm1(-spent)))

    u = np.linspace(0, 1, knots)
    values = np.concatenate([[0.0], found(u[1:])])
    values[0] = 2 * found(u[1:2] / 2)[0] - values[1]
    return values


def ends(kind: str, q: NDArray[np.float64]) -> NDArray[np.float64]:
    """f(0) and f(1) of a normalised family, (n, 2), as `curves.curve` has them. q: (n, d)."""
    at = q[:, :2]
    if kind == "cosine":
        tau, eps = q[:, 2, None], q[:, 3, None]
        angle = np.pi / 2 * (at + eps) / (1 + eps)
        return np.asarray(np.maximum(np.cos(angle), FLOOR) ** (2 * tau))
    # the logistic function of -at / tau, whose exponential may be infinite
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-np.logaddexp(0.0, at / q[:, 2, None])))
