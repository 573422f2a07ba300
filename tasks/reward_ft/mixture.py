"""Several rewards: p* proportional to p_data exp(sum_k s_k r_k), s_k = 1/lam_k, on a bank.

The lower objective is KL(p || p_data) - sum_k s_k E_p[r_k], and with a tilt - tilt E_p[r1] more. So
its derivative by s_k is -E_p[r_k], whatever the tilt, and the hypergradient over a tilt of 1/gamma
is gamma (E_y[r_k] - E_z[r_k]); as gamma goes to infinity, -Cov_{p*}(r1, r_k). No KL is asked for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tasks.reward_ft.importance import Vector, ess, softmax

LOG = logging.getLogger("benchmark")
# bisection of a share of the strengths: 40 halvings leave nothing of 1
_HALVINGS = 40


@dataclass(frozen=True)
class MixedBank:
    """Rewards of N samples of p_data. r1: (N,), the upper one.  r: (N, K), the lower ones."""

    r1: Vector
    r: Vector

    def least_ess(self, per_reward: float) -> float:
        """Under this effective sample size the weights say little, or have collapsed.

        per_reward: effective samples for each reward. The best of K strengths on n samples looks
        better than it is by about K/n of the variance of r1.
        """
        return max(10.0, 0.05 * len(self.r1), per_reward * int(self.r.shape[1]))


@dataclass(frozen=True)
class Mixed:
    """p* on the bank. w: (N,), sums to 1.  s: (K,), the strengths as used.  share: of those asked
    for, below 1 where the effective size would have been too small.
    """

    bank: MixedBank
    w: Vector
    s: Vector
    share: float


def trusted(bank: MixedBank, s: Vector, least: float) -> float:
    """The largest share of the strengths s, (K,), with an effective size of at least `least`.

    Raises ValueError for a bank that is too small to have one.
    """
    if len(bank.r1) < least:
        raise ValueError(
            f"a bank of {len(bank.r1)} samples cannot reach an effective size of {least:g}; set a "
            "larger reward_ft.bank, or a smaller reward_ft.ess_per_reward"
        )
    total = bank.r @ s
    if ess(softmax(total)) >= least:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if ess(softmax(middle * total)) >= least:
            low = middle
        else:
            high = middle
    return low


def mixed(bank: MixedBank, s: Vector, least: float, tilt: float = 0.0) -> Mixed:
    """p* at the strengths s, (K,), or at the share of them that the bank can be trusted with."""
    # the share depends on s alone, so that y and z have the same
    share = trusted(bank, s, least)
    if share < 1:
        LOG.warning(
            "the strengths leave an effective size of under %.0f of %d samples; used %.2g of them",
            least,
            len(bank.r1),
            share,
        )
    used = share * s
    return Mixed(bank, softmax(bank.r @ used + tilt * bank.r1), used, share)
