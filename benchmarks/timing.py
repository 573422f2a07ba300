"""Two things in turn, A B A B, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratio(one: Callable[[], object], other: Callable[[], object], rounds: int) -> None:
    """Print the median seconds of both, and the median and range of other/one over the rounds, after a warm-up of both."""
    one()
    other()
    pairs = [(seconds(one), seconds(other)) for _ in range(rounds)]
    ratios = sorted(b / a for a, b in pairs)
    print(
        f"A {statistics.median(a for a, _ in pairs):.4g} s, B {statistics.median(b for _, b in pairs):.4g} s, "
        f"B/A {statistics.median(ratios):.4g} [{ratios[0]:.4g}, {ratios[-1]:.4g}] over {rounds} rounds"
    )
