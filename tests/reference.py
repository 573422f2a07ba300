"""Slow, obvious float64 truths in NumPy and SciPy, beside which the fast code is tested."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm


def frechet(x, y):
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) with a general matrix root."""
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(s1 @ s2).real
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s1 + s2 - 2 * root))


def gaussian_bank(n=20_001):
    """Equal-weight nodes of N(0, 1) with r1 = -(x - 1)^2 and r2 = x."""
    from scipy.stats import norm

    x = norm.ppf((np.arange(n) + 0.5) / n)
    return -((x - 1) ** 2), x


def covariance_hypergradient(r1, r2, lam):
    """Cov_{p*}(r1, r2)/lam^2: d/dlam of -E_{p*}[r1], the limit gamma = inf."""
    w = np.exp(r2 / lam - np.max(r2 / lam))
    w /= w.sum()
    return float(np.sum(w * (r1 - w @ r1) * (r2 - w @ r2)) / lam**2)


def lagrangian(r1, r2, lam, gamma):
    """L*_gamma = min_p F + gamma (G - min G) by its log-partition form, on equal-weight nodes."""

    def log_mean_exp(a):
        return np.max(a) + np.log(np.mean(np.exp(a - np.max(a))))

    return gamma * lam * (log_mean_exp(r2 / lam) - log_mean_exp((r2 + r1 / gamma) / lam))


def gaussian_ddim(mean, deviation, abar, previous, eta, slope=0.0, lam=1.0):
    """DDIM with the exact score of N(mean, deviation^2), guided by the reward slope * x: mean,
    variance and path KL.

    Everything is linear: z stays Gaussian, and what guidance adds to eps does not depend on z. A
    last step without noise is not guided.
    """
    m, v, kl = 0.0, 1.0, 0.0
    for a, b in zip(abar, previous, strict=True):
        total = a * deviation**2 + 1 - a  # the variance of z_t, were the sampler exact
        sigma = eta * np.sqrt((1 - b) / (1 - a)) * np.sqrt(1 - a / b)
        by_eps = np.sqrt(1 - b - sigma**2) - np.sqrt(b * (1 - a) / a)
        by_z = np.sqrt(b / a) + by_eps * np.sqrt(1 - a) / total
        shift = -by_eps * np.sqrt(1 - a) * np.sqrt(a) * mean / total
        change = (
            0.0 if sigma == 0 else -np.sqrt(1 - a) / lam * slope * np.sqrt(a) * deviation**2 / total
        )
        m = by_z * m + shift + by_eps * change
        v = by_z**2 * v + sigma**2
        kl += 0.0 if sigma == 0 else by_eps**2 * change**2 / (2 * sigma**2)
    return m, v, kl


def ddim_step(z, eps, noise, abar, previous, eta):
    """Song et al. 2021, eq. 12, written out."""
    sigma = eta * np.sqrt((1 - previous) / (1 - abar)) * np.sqrt(1 - abar / previous)
    z0 = (z - np.sqrt(1 - abar) * eps) / np.sqrt(abar)
    return np.sqrt(previous) * z0 + np.sqrt(1 - previous - sigma**2) * eps + sigma * noise
