"""The closed form of reward fine-tuning on a bank of p_data samples: Algorithms 2 and 4."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOG = logging.getLogger("benchmark")
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """Rewards of N samples of p_data, each (N,) float64; drawn once, for they depend on no lam."""

    r1: Vector
    r2: Vector

    def __post_init__(self) -> None:
        # in float32, gamma times a difference of entropies would be lost
        for name in ("r1", "r2"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))

    @property
    def least_ess(self) -> float:
        """Under this effective sample size the weights have collapsed and say nothing."""
        return max(10.0, 0.05 * len(self.r2))


@dataclass(frozen=True)
class Weights:
    """p* on the bank. w: (N,), sums to 1.  lam: as used, above the one asked for by a back-off."""

    bank: Bank
    w: Vector
    lam: float


def softmax(x: Vector) -> Vector:
    w = np.exp(x - x.max())
    weights: Vector = w / w.sum()
    return weights


def ess(w: Vector) -> float:
    """Effective sample size, in [1, N]."""
    return float(1 / np.sum(w**2))


def kl(w: Vector) -> float:
    """KL(p* || p_data) = log N - H(w), in nats."""
    # 0 log 0 = 0, where NumPy has nan
    positive = w[w > 0]
    return float(np.log(len(w)) + np.sum(positive * np.log(positive)))


def guard(bank: Bank, lam: float) -> float:
    """lam, or where softmax(r2/lam) has collapsed, the smallest larger one where it has not.

    Raises ValueError for a bank that is too small to have one.
    """
    if ess(softmax(bank.r2 / lam)) >= bank.least_ess:
        return lam
    low, high = np.log(lam), np.log(lam) + 40
    if ess(softmax(bank.r2 / np.exp(high))) < bank.least_ess:
        raise ValueError(
            f"a bank of {len(bank.r2)} samples cannot reach an effective size of {bank.least_ess:g}"
        )
    # bisection in log lam: the effective size grows with lam; 60 halvings leave nothing of 40
    for _ in range(60):
        middle = (low + high) / 2
        if ess(softmax(bank.r2 / np.exp(middle))) >= bank.least_ess:
            high = middle
        else:
            low = middle
    return float(np.exp(high))


def solve(bank: Bank, lam: float, tilt: float = 0.0) -> Weights:
    """p* proportional to p_data exp((r2 + tilt r1)/lam)."""
    # the back-off depends on r2 alone, so that y and z share it
    used = guard(bank, lam)
    if used > lam:
        LOG.warning(
            "importance weights collapse below lam = %.4g (effective size < %.0f); used that "
            "instead",
            used,
            bank.least_ess,
        )
    return Weights(bank, softmax((bank.r2 + tilt * bank.r1) / used), used)
