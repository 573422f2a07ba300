"""The columns of a table: how each metric and each cost is called, printed, compared and bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmark.stats import Estimate, Values, estimate

_LONG = 1e13  # from here on digits after the point, and all those before it, are no help


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if not abs(value) >= _LONG else f"{value:.4g}"


@dataclass(frozen=True)
class Column:
    """lower: True where less is better, False where more is, None where neither is said.

    low, high: no true value lies outside.  scale: what is stored is divided by this before it is printed.
    """

    head: str
    digits: int = 1
    lower: bool | None = None
    low: float = -math.inf
    high: float = math.inf
    scale: float = 1.0

    def estimate(self, values: Values) -> Estimate:
        """Mean and interval, the interval cut where no true value lies. Raises ValueError without values."""
        return estimate(values, self.low, self.high)

    def text(self, e: Estimate | None) -> str:
        """`mean [low, high]`; the mean alone where the interval is unknown, and - without a value."""
        if e is None:
            return "-"
        mean, low, high = (_shown(v / self.scale, self.digits) for v in (e.mean, e.low, e.high))
        return mean if math.isnan(e.low) else f"{mean} [{low}, {high}]"


METRICS = {
    "fid": Column("FID", digits=2, lower=True, low=0),
    "clip": Column("CLIP score", lower=False, low=0, high=100),
    "inception_score": Column("IS", digits=2, lower=False, low=1),
    # 1: as far from the training images as fresh ones are; 0: copies. Nothing is won by being further
    "nearest": Column("Nearest train", digits=2, lower=None, low=0),
    "accuracy": Column("Accuracy", digits=3, lower=False, low=0, high=1),
    "reward": Column("Reward r2", digits=2),  # what guidance pushes: more of it is not better
    "objective": Column("F", digits=4, lower=True),
    "training_steps": Column("Steps", digits=0, low=0),  # of the network that was measured: more of them is not tuning
}
COSTS = {
    "time": Column("Time (s)", low=0),
    "overrun_seconds": Column("Over (s)", digits=2, low=0),  # past the budget, where that is one of seconds
    "overrun_nfe": Column("Over (k)", digits=2, low=0, scale=1e3),  # the same, where it is one of evaluations
    "nfe": Column("Evaluations (k)", low=0, scale=1e3),
    "peak_memory_bytes": Column("Memory (MiB)", digits=0, low=0, scale=2**20),
}
