"""The Frechet distance that can be differentiated, for the truncated derivative of F by the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.metrics import Moments


def frechet(features: Tensor, reference: Moments) -> Tensor:
    """As `tasks.metrics.frechet`, float64, differentiable in features (N, D). Raises ValueError for N <= D,

    where roots of zero eigenvalues have no derivative.
    """
    n, d = features.shape
    if n <= d:
        raise ValueError(f"differentiable Frechet distance: expected more than {d} features, got {n}")
    x = features.double()
    mean, covariance, root = (
        torch.as_tensor(m, device=x.device) for m in (reference.mean, reference.covariance, reference.root)
    )
    centred = (x - x.mean(0)) / (n - 1) ** 0.5
    half = centred @ root
    values = torch.linalg.eigvalsh(half.T @ half)
    cross = values.clamp(min=1e-12 * float(values.detach().max())).sqrt().sum()
    total: Tensor = (x.mean(0) - mean).square().sum() + centred.square().sum() + covariance.trace() - 2 * cross
    return total
