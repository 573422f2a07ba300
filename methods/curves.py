"""Where learning curves end: the model of Freeze-Thaw, Swersky et al. 2014 (arXiv 1406.3896).

F of trial n after the share t of a full fit is its end, a Gaussian process over lam, and a decay
that is the trial's own (eq. 6): cov = K(lam, lam') + [same trial] (beta / (t + t' + beta))^alpha.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NOISE = 1e-3  # variance of a standardised F
_GRID = [(length, beta) for length in (0.1, 0.2, 0.4, 0.8) for beta in (0.03, 0.1, 0.3, 1.0)]
"""Length scale in the cube, and the share of a fit in which a curve falls to a half (alpha = 1)."""


def standardised(losses: Array) -> Array:
    """Mean 0, variance 1, (N,). A bad or lost one is cut: how bad it is says little of the good."""
    finite = losses[np.isfinite(losses)]
    low, middle = finite.min(), np.median(finite)
    cut = np.clip(np.where(np.isnan(losses), np.inf, losses), low, middle + 3 * (middle - low))
    return np.asarray((cut - cut.mean()) / (cut.std() or 1.0))


def improvement(mean: Array, spread: Array, best: float) -> Array:
    """Expected improvement on `best` downwards, (M,)."""
    z = (best - mean) / spread
    below = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in z])
    return np.asarray(spread * (z * below + np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)))


def _alike(a: Array, b: Array, length: float) -> Array:
    return np.asarray(np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * length**2)))


@dataclass(frozen=True)
class Curves:
    """The fitted model. lams: (N, d) of all observations.  weights: (N,).  root: Cholesky, (N, N).

    length: scale in the cube.  evidence: log, but for a constant.
    """

    lams: Array
    root: Array
    weights: Array
    length: float
    evidence: float

    @classmethod
    def fit(cls, lams: Array, trials: Array, times: Array, losses: Array) -> Curves:
        """By the largest evidence on a small grid. trials: (N,) numbers of the trials.  times: (N,)
        in [0, 1].  losses: (N,), at least one of them finite.
        """
        values = standardised(losses)
        own, both = trials[:, None] == trials[None], times[:, None] + times[None]
        models = []
        for length, beta in _GRID:
            cov = _alike(lams, lams, length) + own * beta / (both + beta)
            root = np.linalg.cholesky(cov + _NOISE * np.eye(len(values)))
            white = np.linalg.solve(root, values)
            evidence = -white @ white / 2 - np.log(np.diag(root)).sum()
            weights = np.linalg.solve(root.T, white)
            models.append(cls(lams, root, weights, length, float(evidence)))
        return max(models, key=lambda model: model.evidence)

    def ends(self, lams: Array) -> tuple[Array, Array]:
        """Mean and deviation of the standardised F after training for ever, (M,) each."""
        cross = _alike(self.lams, lams, self.length)
        spread = 1 - (np.linalg.solve(self.root, cross) ** 2).sum(0)
        return cross.T @ self.weights, np.sqrt(np.maximum(spread, 1e-12))
