"""Metrics of stored answers: how far samples are from real images, in features of a network.

The functions that `bench measure` calls; each returns a value and how it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import FeaturePairs

Matrix = NDArray[np.float64]
# of KID, as torch-fidelity and its paper have them
_SUBSETS, _SUBSET = 100, 1000
_NEIGHBOURS = 3
# of CMMD's kernel exp(-|x - y|^2 / (2 sigma^2)), and what the squared distance is multiplied by
_SIGMA, _SCALE = 10.0, 1000.0


def _pair(samples: FeaturePairs, kind: str) -> tuple[Matrix, Matrix, str]:
    """Made, real, and a text that says of what. Raises ValueError where there is no such kind."""
    if kind not in samples.made or kind not in samples.real:
        raise ValueError(
            f"expected features of kind {kind!r}, got {', '.join(samples.made) or 'none'}"
        )
    made, real = (np.asarray(x[kind], np.float64) for x in (samples.made, samples.real))
    for x in (made, real):
        if x.ndim != 2 or len(x) < 4 or not np.isfinite(x).all():
            raise ValueError(f"expected 4 or more finite features, got {x.shape}")
    name = samples.names.get(kind, "features without a name")
    return made, real, f"{len(made)} images against {len(real)}, {name}, D = {made.shape[1]}"


# once for the two metrics that come of it
@lru_cache(maxsize=1)
def _kid(samples: FeaturePairs) -> tuple[float, float, str]:
    import torch
    from torch_fidelity.metric_kid import kid_features_to_metric

    made, real, what = _pair(samples, "frechet")
    # half of few images, or all subsets would be the same
    size = min(_SUBSET, len(made) // 2, len(real) // 2)
    found = kid_features_to_metric(
        torch.from_numpy(made),
        torch.from_numpy(real),
        kid_subsets=_SUBSETS,
        kid_subset_size=size,
        rng_seed=2020,
        verbose=False,
    )
    mean, deviation = (float(found[f"kernel_inception_distance_{k}"]) for k in ("mean", "std"))
    return mean, deviation, f"{what}, {_SUBSETS} subsets of {size}"


def kid(samples: FeaturePairs) -> tuple[float, str]:
    """Polynomial kernel of degree 3, without bias (Binkowski et al. 2018), by torch-fidelity."""
    mean, _, how = _kid(samples)
    return mean, how


def kid_deviation(samples: FeaturePairs) -> tuple[float, str]:
    """Of `kid` over its subsets."""
    _, deviation, how = _kid(samples)
    return deviation, how


@lru_cache(maxsize=1)
def _neighbourhoods(samples: FeaturePairs) -> tuple[float, float, str]:
    import torch
    from torch_fidelity.metric_prc import prc_features_to_metric

    made, real, what = _pair(samples, "frechet")
    # as many of both, for a neighbourhood is smaller among more
    n = min(len(made), len(real))
    found = prc_features_to_metric(
        torch.from_numpy(made[:n]),
        torch.from_numpy(real[:n]),
        prc_neighborhood=_NEIGHBOURS,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    how = f"{what}, the first {n} of each, {_NEIGHBOURS} neighbours"
    return float(found["precision"]), float(found["recall"]), how


def precision(samples: FeaturePairs) -> tuple[float, str]:
    """Images within the neighbourhoods of real ones (Kynkaanniemi et al. 2019)."""
    share, _, how = _neighbourhoods(samples)
    return share, how


def recall(samples: FeaturePairs) -> tuple[float, str]:
    """Real images within the neighbourhoods of generated ones."""
    _, share, how = _neighbourhoods(samples)
    return share, how


def cmmd(samples: FeaturePairs) -> tuple[float, str]:
    """1,000 times the squared MMD of CLIP embeddings (Jayasumana et al. 2024, arXiv 2401.09603).

    Pairs of an image with itself count, as they do there.
    """
    made, real, what = _pair(samples, "clip")
    kernel = _gaussian(_SIGMA)
    value = kernel(made, made) + kernel(real, real) - 2 * kernel(made, real)
    return _SCALE * max(0.0, value), f"{what}, sigma = {_SIGMA:g}"


def _gaussian(sigma: float) -> Callable[[Any, Any], float]:
    """The mean of the kernel over all pairs."""
    from scipy.spatial.distance import cdist

    return lambda x, y: float(np.exp(-cdist(x, y, "sqeuclidean") / (2 * sigma**2)).mean())
