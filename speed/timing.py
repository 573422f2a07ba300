"""Two things in turn, A B A B, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.report.stats import estimate

Clock = Callable[[], float]


@dataclass(frozen=True)
class Compared:
    """Seconds of A and of B, round by round."""

    pairs: Sequence[tuple[float, float]]

    @property
    def ratios(self) -> list[float]:
        """B/A, in ascending order."""
        return sorted(b / a for a, b in self.pairs)

    @property
    def medians(self) -> tuple[float, float]:
        a, b = zip(*self.pairs, strict=True)
        return statistics.median(a), statistics.median(b)

    @property
    def interval(self) -> tuple[float, float, float]:
        """B/A as a geometric mean over the rounds, and its 95 % interval by Student's t."""
        found = estimate({(k, ""): math.log(ratio) for k, ratio in enumerate(self.ratios)})
        return math.exp(found.mean), math.exp(found.low), math.exp(found.high)


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


def compare(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Clock = time.perf_counter,
) -> Compared:
    """A: one, B: other, after a warm-up of both.

    clock: `time.process_time` where other processes are at work on the machine.
    """
    one()
    other()
    return Compared([(seconds(one, clock), seconds(other, clock)) for _ in range(rounds)])


def ratio(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Clock = time.perf_counter,
) -> None:
    """Print the median seconds of both, and the median and range of B/A."""
    found = compare(one, other, rounds, clock)
    (a, b), ratios = found.medians, found.ratios
    print(
        f"A {a:.4g} s, B {b:.4g} s, B/A {statistics.median(ratios):.4g} [{ratios[0]:.4g}, "
        f"{ratios[-1]:.4g}] over {rounds} rounds"
    )
