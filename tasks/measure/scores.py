"""Scores of images beside the Frechet distance: nearest neighbours, CLIP score, Inception Score."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

# of a table of products that is held at once: 64 MiB
_CELLS = 2**24


def nearest(images: Tensor, among: Tensor) -> NDArray[np.float64]:
    """Euclidean distance over all pixels of images (N, ...) to the nearest of (M, ...), (N,)."""
    x, y = images.flatten(1), among.flatten(1)
    half, distances = y.square().sum(1) / 2, []
    for part in torch.split(x, max(1, _CELLS // len(y))):
        # |x - y|^2 / 2 less |x|^2 / 2, in one product, which loses digits where two are almost one
        chosen = torch.addmm(half, part, y.T, alpha=-1).argmin(1)
        distances.append((part - y[chosen]).double().norm(dim=1))
    return torch.cat(distances).cpu().numpy()


def clip_score(cosines: ArrayLike) -> float:
    """Mean over images of 100 max(cos, 0), in [0, 100] (Hessel et al. 2021, without their 2.5)."""
    return float(100 * np.asarray(cosines, dtype=np.float64).clip(0).mean())


def inception_score(logits: ArrayLike) -> float:
    """exp E KL(p(y|x) || p(y)), in [1, classes] (Salimans et al. 2016). logits: (N, classes)."""
    x = np.asarray(logits, dtype=np.float64)
    # log-softmax less its maximum: exp of a large logit overflows
    log_p = x - x.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    p = np.exp(log_p)
    return float(np.exp(np.sum(p * (log_p - np.log(p.mean(0))), 1).mean()))
