"""A closed-form toy with an axis of each kind: F = (y - 3)^2 / 2, G = (y - m(lam))^2 / 2.

m = a + 1 - |n - 6| / 4 - |ln(k / 100)| / 2 + the shift of the shape, so that each axis has its own
optimum: a = 1, n = 6, k = 100, shape `high`; there m = 3 and F = 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import Prices, Test
from benchmark.seeds import generator
from benchmark.space import Choice, Float, Integer, Lam, Space
from tasks.toy import Toy

SHIFTS: Mapping[str, float] = {"high": 1.0, "low": -1.0, "middle": 0.0}
_TARGET, _N, _K, _RATE = 3.0, 6, 100, 0.5


class KindsTask:
    """State: y, a number. One step is gradient descent."""

    space = Space(
        (
            Float("a", -1, 1, default=0.5, grid=(0, 1)),
            Integer("n", 0, 8, default=4, grid=(4, 6)),
            Integer("k", 1, 1000, default=60, grid=(30, 100), log=True),
            Choice("shape", tuple(SHIFTS), default="middle"),
        )
    )
    horizon = 20

    def __init__(self, seed: int) -> None:
        self.nfe, self._seed = 0, seed

    def _middle(self, lam: Lam) -> float:
        at = self.space.numbers(lam)
        away = abs(at["n"] - _N) / 4 + abs(math.log(at["k"] / _K)) / 2
        return at["a"] + 1 - away + SHIFTS[self.space.texts(lam)["shape"]]

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> float:
        self.nfe += 1
        return float(generator(self._seed, "kinds", seed).normal())

    def step(self, state: float, lam: Lam, tilt: float = 0.0) -> float:
        self.nfe += 1
        return state - _RATE * (state - self._middle(lam) + tilt * (state - _TARGET))

    def loss(self, state: float, lam: Lam) -> float:
        self.nfe += 1
        return (state - _TARGET) ** 2 / 2

    def grad(self, state: float, lam: Lam, tilt: float = 0.0) -> Lam:
        """Along n and k it is that of the unrounded value, at the rounded one."""
        self.nfe += 1
        at = self.space.numbers(lam)
        by_middle = self._middle(lam) - state
        by_native = {
            "a": by_middle,
            "n": -by_middle * float(np.sign(at["n"] - _N)) / 4,
            "k": -by_middle * float(np.sign(at["k"] - _K)) / (2 * at["k"]),
        }
        return self.space.pullback(lam, by_native)

    # for `bench check` alone, so it counts no evaluation
    def lower(self, state: float, lam: Lam) -> float:
        """G; not counted."""
        return (state - self._middle(lam)) ** 2 / 2

    def pack(self, state: float) -> Mapping[str, NDArray[np.float64]]:
        return {"y": np.array([state])}

    def unpack(self, arrays: Mapping[str, NDArray[np.float64]]) -> float:
        return float(arrays["y"][0])

    def test(self, state: float, lam: Lam) -> Test:
        """`objective`: F at the exact lower solution."""
        # counted, so that a method which measured during its search would be seen
        self.nfe += 1
        exact = (self._middle(lam) - _TARGET) ** 2 / 2
        return Test({"objective": exact}, {"objective": "exact"}, loss=exact)


@dataclass(frozen=True)
class Kinds(Toy):
    """A real axis, whole numbers in equal and in logarithmic cells, and a choice of texts."""

    toy: ClassVar[str] = "kinds"

    @property
    def space(self) -> Space:
        return KindsTask.space

    def prices(self, lower: str) -> Prices:
        return self.priced(KindsTask.horizon)

    def open(self, seed: int, prompt: str, lower: str, device: str) -> KindsTask:
        return KindsTask(seed)
