"""Frechet distance, exact and fast, and the other numbers of a table. Features: (N, D), any float dtype."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Matrix = NDArray[np.float64]
_CELLS = 2**24  # of a table of products that is held at once: 64 MiB


@dataclass(frozen=True)
class Moments:
    """Reference statistics, computed once. mean: (D,).  covariance: (D, D), divisor N - 1.  n: the sample size, 0: unknown."""

    mean: Matrix
    covariance: Matrix
    n: int

    def __post_init__(self) -> None:
        for name in ("mean", "covariance"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))

    @classmethod
    def of(cls, features: ArrayLike) -> Moments:
        """Raises ValueError for N < 2 and for values that are not finite."""
        x = _checked(features)
        return cls(x.mean(0), np.cov(x, rowvar=False).reshape(x.shape[1], x.shape[1]), len(x))

    @cached_property
    def root(self) -> Matrix:
        """The symmetric square root R of the covariance, (D, D)."""
        values, vectors = np.linalg.eigh(self.covariance)
        root: Matrix = (vectors * np.sqrt(values.clip(0))) @ vectors.T
        return root

    @cached_property
    def digest(self) -> str:
        """SHA-256 of mean and covariance, shortened."""
        return hashlib.sha256(self.mean.tobytes() + self.covariance.tobytes()).hexdigest()[:12]


def _checked(features: ArrayLike) -> Matrix:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"Frechet distance: expected features (N, D) with N >= 2, got shape {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError("Frechet distance: expected finite features")
    return x


def frechet(features: ArrayLike, reference: Moments) -> float:
    """Squared Frechet distance between the Gaussians fitted to both (Dowson and Landau 1982; FID: Heusel et al. 2017).

    tr sqrt(S1 S2) is a sum of roots of eigenvalues, of C S2 C^T (N x N) for N <= D, with C^T C = S1, and of R S1 R with
    R = sqrt(S2) otherwise. Both are symmetric, so no matrix root of a product is taken. Raises ValueError as `Moments.of`.
    """
    x = _checked(features)
    if x.shape[1] != len(reference.mean):
        raise ValueError(
            f"Frechet distance: expected {len(reference.mean)} features as in the reference, got {x.shape[1]}"
        )
    n, d = x.shape
    mean = x.mean(0)
    c = (x - mean) / np.sqrt(n - 1)
    if n <= d:
        product = c @ reference.covariance @ c.T
    else:
        half = c @ reference.root
        product = half.T @ half
    cross = np.sqrt(np.linalg.eigvalsh(product).clip(0)).sum()
    distance = np.sum((mean - reference.mean) ** 2) + np.sum(c**2) + np.trace(reference.covariance) - 2 * cross
    if not np.isfinite(distance):
        raise ValueError("Frechet distance: it is not finite; the reference or the features hold impossible numbers")
    return max(0.0, float(distance))


def frechet_passport(features: ArrayLike, reference: Moments, extractor: str, resize: str) -> dict[str, str]:
    """What must agree before two distances may stand in one table."""
    x = np.asarray(features)
    return {
        "fid_n": f"{len(x)}{' (N <= D)' if len(x) <= x.shape[1] else ''}",
        "fid_features": f"{extractor}, D = {x.shape[1]}",
        "fid_resize": resize,
        "fid_reference": f"N {f'= {reference.n}' if reference.n else 'unknown'}, {reference.digest}",
        "fid_dtype": f"{x.dtype}, statistics float64",
    }


def nearest(images: Tensor, among: Tensor) -> Matrix:
    """Euclidean distance of each image (N, ...) to the nearest of (M, ...), over all pixels, (N,)."""
    x, y = images.flatten(1), among.flatten(1)
    half, found = y.square().sum(1) / 2, []
    for part in torch.split(x, max(1, _CELLS // len(y))):
        chosen = torch.addmm(half, part, y.T, alpha=-1).argmin(1)  # |x - y|^2 / 2 less |x|^2 / 2, in one product
        found.append((part - y[chosen]).double().norm(dim=1))  # which would lose digits where two are almost one
    return torch.cat(found).cpu().numpy()


def clip_score(cosines: ArrayLike) -> float:
    """Mean over images of 100 max(cos, 0), in [0, 100] (Hessel et al. 2021, without their factor 2.5)."""
    return float(100 * np.asarray(cosines, dtype=np.float64).clip(0).mean())


def inception_score(logits: ArrayLike) -> float:
    """exp E KL(p(y|x) || p(y)), in [1, classes] (Salimans et al. 2016). logits: (N, classes)."""
    x = np.asarray(logits, dtype=np.float64)
    log_p = x - x.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p = np.exp(log_p)
    return float(np.exp(np.sum(p * (log_p - np.log(p.mean(0))), 1).mean()))
