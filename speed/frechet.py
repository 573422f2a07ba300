"""A: our Frechet distance; B: pytorch-fid's, or torch-fidelity's. D = 2048.

Targets: B/A at least 300 at N = 256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

from speed.timing import ratio
from tasks.measure.frechet import Moments, frechet

D, REFERENCE = 2048, 5000


@dataclass(frozen=True)
class Distances:
    """Three ways from features, (N, D), to one number, with the reference's moments at hand."""

    features: np.ndarray
    reference: Moments

    @classmethod
    def of(cls, n: int) -> Distances:
        rng = np.random.default_rng(0)
        mix = rng.normal(size=(D, D)) / 45
        made, real = rng.normal(size=(n, D)) @ mix, rng.normal(size=(REFERENCE, D)) @ mix
        return cls(made, Moments.of(real))

    def ours(self) -> float:
        return frechet(self.features, self.reference)

    def pytorch_fid(self) -> float:
        return float(
            calculate_frechet_distance(
                self.features.mean(0),
                np.cov(self.features, rowvar=False),
                self.reference.mean,
                self.reference.covariance,
            )
        )

    def torch_fidelity(self) -> float:
        own = {"mu": self.features.mean(0), "sigma": np.cov(self.features, rowvar=False)}
        real = {"mu": self.reference.mean, "sigma": self.reference.covariance}
        return float(fid_statistics_to_metric(own, real, verbose=False)[KEY_METRIC_FID])

    def others(self) -> dict[str, Callable[[], float]]:
        return {"pytorch-fid": self.pytorch_fid, "torch-fidelity": self.torch_fidelity}


def main() -> None:
    for n in (256, 5000):
        distances = Distances.of(n)
        for name, other in distances.others().items():
            print(f"N = {n}, {name}: relative difference {distances.ours() / other() - 1:.1e}")
            ratio(distances.ours, other, rounds=3)
