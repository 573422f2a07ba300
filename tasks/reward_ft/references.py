"""What FID is measured against: a folder of pictures, or a file of statistics."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from benchmark.errors import UsageError, format_error
from tasks.files.weights import digest, place
from tasks.measure.frechet import Matrix, Moments
from tasks.measure.inception import DIM
from tasks.reward_ft.pictures import pictures


def statistics(path: Path) -> Moments:
    """pytorch-fid's --save-stats: mu (2048,), sigma (2048, 2048). Raises UsageError."""
    # no pickle: it could execute anything
    try:
        with np.load(path, allow_pickle=False) as table:
            mu, sigma = np.asarray(table["mu"], np.float64), np.asarray(table["sigma"], np.float64)
    except Exception as error:  # numpy raises many kinds for what is no such file
        why = format_error(error)[:300]
        raise UsageError(
            f"reference {path}: expected statistics (mu and sigma in an .npz file); {why}"
        ) from error
    if mu.shape != (DIM,) or sigma.shape != (DIM, DIM):
        raise UsageError(
            f"reference {path}: expected mu ({DIM},) and sigma, got {mu.shape} and {sigma.shape}"
        )
    if wrong := _impossible(mu, sigma):
        raise UsageError(f"reference {path}: expected mean and covariance of features, got {wrong}")
    # 0: such a file does not say of how many images it is
    return Moments(mu, sigma, 0)


def _impossible(mu: Matrix, sigma: Matrix) -> str:
    """What keeps two arrays from being a mean and a covariance, or ""."""
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        return "numbers that are not finite"
    if not np.allclose(sigma, sigma.T, atol=1e-6):
        return "a sigma that is not symmetric"
    if np.linalg.eigvalsh(sigma)[0] < -1e-3 * np.trace(sigma) / DIM:
        return "a sigma that is no covariance"
    return "" if np.trace(sigma) > 0 else "a sigma of zeros"


def reference_files(reference: str) -> dict[str, Path]:
    """What a folder or a file of statistics consists of, by name. Raises UsageError."""
    path = place(reference)
    if os.path.isdir(path):
        return {p.name: p for p in pictures(path)}
    if os.path.isfile(path):
        statistics(path)
        return {path.name: path}
    raise UsageError(
        f"reference {reference!r}: expected unguided, a folder of pictures, or a file of "
        "statistics (.npz of pytorch-fid)"
    )


def reference_digest(reference: str) -> str:
    """One hash of all that a reference consists of."""
    # names aside, for they decide no number
    every = "".join(sorted(digest(p) for p in reference_files(reference).values()))
    return hashlib.sha256(every.encode()).hexdigest()
