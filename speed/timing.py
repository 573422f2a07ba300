"""Two things in turn, A B A B, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Clock = Callable[[], float]


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


def ratio(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Clock = time.perf_counter,
) -> None:
    """Print the median seconds of both, and the median and range of other/one, after a warm-up.

    clock: `time.process_time` where other processes are at work on the machine.
    """
    one()
    other()
    pairs = [(seconds(one, clock), seconds(other, clock)) for _ in range(rounds)]
    ratios = sorted(b / a for a, b in pairs)
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    middle, low, high = statistics.median(ratios), ratios[0], ratios[-1]
    print(
        f"A {a:.4g} s, B {b:.4g} s, B/A {middle:.4g} [{low:.4g}, {high:.4g}] over {rounds} rounds"
    )
