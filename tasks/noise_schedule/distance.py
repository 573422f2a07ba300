"""The Frechet distance with gradients, for the truncated derivative of F by the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.measure.frechet import Moments


def frechet(features: Tensor, reference: Moments) -> Tensor:
    """As `tasks.measure.frechet.frechet`, float64, differentiable in features (N, D).

    Raises ValueError for N <= D.
    """
    n, d = features.shape
    # there the covariance has eigenvalues of 0, whose roots have no derivative
    if n <= d:
        raise ValueError(
            f"differentiable Frechet distance: expected more than {d} features, got {n}"
        )
    x = features.double()
    mean, covariance, root = (
        torch.as_tensor(m, device=x.device)
        for m in (reference.mean, reference.covariance, reference.root)
    )
    centred = (x - x.mean(0)) / (n - 1) ** 0.5
    half = centred @ root
    values = torch.linalg.eigvalsh(half.T @ half)
    # away from 0, where the derivative of the root grows without limit
    cross = values.clamp(min=1e-12 * float(values.detach().max())).sqrt().sum()
    total: Tensor = (
        (x.mean(0) - mean).square().sum() + centred.square().sum() + covariance.trace() - 2 * cross
    )
    return total
