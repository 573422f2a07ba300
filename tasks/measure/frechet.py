"""The Frechet distance, exact and fast. Features: (N, D), any float dtype."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Reference statistics. mean: (D,).  covariance: (D, D), divisor N - 1.  n: N, 0: unknown."""

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
        # rounding leaves eigenvalues a little below 0
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
        raise ValueError(
            f"Frechet distance: expected features (N, D) with N >= 2, got shape {x.shape}"
        )
    if not np.all(np.isfinite(x)):
        raise ValueError("Frechet distance: expected finite features")
    return x


def frechet(features: ArrayLike, reference: Moments) -> float:
    """Squared Frechet distance between the Gaussians fitted to both (Dowson and Landau 1982).

    With Inception's features it is FID (Heusel et al. 2017). Raises ValueError as `Moments.of`.
    """
    x = _checked(features)
    if x.shape[1] != len(reference.mean):
        raise ValueError(
            f"Frechet distance: expected {len(reference.mean)} features as in the reference, got "
            f"{x.shape[1]}"
        )
    n, d = x.shape
    mean = x.mean(0)
    c = (x - mean) / np.sqrt(n - 1)
    # tr sqrt(S1 S2) is the sum of the roots of the eigenvalues of a symmetric matrix, so that no
    # matrix root is taken: of C S2 C^T (N x N) with C^T C = S1, or of R S1 R with R = sqrt(S2)
    if n <= d:
        product = c @ reference.covariance @ c.T
    else:
        half = c @ reference.root
        product = half.T @ half
    cross = np.sqrt(np.linalg.eigvalsh(product).clip(0)).sum()
    distance = (
        np.sum((mean - reference.mean) ** 2)
        + np.sum(c**2)
        + np.trace(reference.covariance)
        - 2 * cross
    )
    if not np.isfinite(distance):
        raise ValueError(
            "Frechet distance: not finite; the reference or the features hold impossible numbers"
        )
    # between equal Gaussians rounding may leave less than 0
    return max(0.0, float(distance))


def frechet_passport(
    features: ArrayLike, reference: Moments, extractor: str, resize: str
) -> dict[str, str]:
    """What must agree before two distances may stand in one table."""
    x = np.asarray(features)
    return {
        "fid_n": f"{len(x)}{' (N <= D)' if len(x) <= x.shape[1] else ''}",
        "fid_features": f"{extractor}, D = {x.shape[1]}",
        "fid_resize": resize,
        "fid_reference": (
            f"N {f'= {reference.n}' if reference.n else 'unknown'}, {reference.digest}"
        ),
        "fid_dtype": f"{x.dtype}, statistics float64",
    }
