"""A: our Frechet distance; B: pytorch-fid's. N = 256, D = 2048. Target: B/A at least 100."""

import numpy as np
from pytorch_fid.fid_score import calculate_frechet_distance

from speed.timing import ratio
from tasks.measure.frechet import Moments, frechet


def main() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2048, 2048)) / 45
    features, real = rng.normal(size=(256, 2048)) @ mix, rng.normal(size=(5000, 2048)) @ mix
    reference = Moments.of(real)
    mean, covariance = features.mean(0), np.cov(features, rowvar=False)

    def ours() -> float:
        return frechet(features, reference)

    def theirs() -> float:
        return float(
            calculate_frechet_distance(mean, covariance, reference.mean, reference.covariance)
        )

    print(f"relative difference {abs(ours() / theirs() - 1):.1e}")
    ratio(ours, theirs, rounds=3)
