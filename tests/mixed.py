"""A toy task with an axis of each kind: y(lam) = m, F = (y - 3)^2 / 2, G = (y - m)^2 / 2.

m is a + n / 4 + the shift of the shape.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmark import Choice, Float, Integer, Space, Test, option
from benchmark.errors import refuse_prompt

SHIFTS = {"low": -2.0, "middle": 0.0, "high": 2.0}


class MixedTask:
    space = Space(
        (
            Float("a", -1, 1, default=0.0, grid=(-1, 0, 1)),
            Integer("n", 0, 4, default=1, grid=(0, 2, 4)),
            Choice("shape", tuple(SHIFTS), default="middle"),
        )
    )
    horizon = 20

    def __init__(self):
        self.nfe = 0

    def _middle(self, lam):
        numbers, texts = self.space.numbers(lam), self.space.texts(lam)
        return numbers["a"] + numbers["n"] / 4 + SHIFTS[texts["shape"]]

    def warm_up(self):
        """Nothing is slow the first time."""

    def init(self, seed):
        self.nfe += 1
        return 0.5

    def step(self, state, lam, tilt=0.0):
        self.nfe += 1
        return state - 0.5 * (state - self._middle(lam) + tilt * (state - 3))

    def loss(self, state, lam):
        self.nfe += 1
        return (state - 3) ** 2 / 2

    def grad(self, state, lam, tilt=0.0):
        self.nfe += 1
        by_middle = self._middle(lam) - state
        return self.space.pullback(lam, {"a": by_middle, "n": by_middle / 4})

    def lower(self, state, lam):
        return (state - self._middle(lam)) ** 2 / 2

    def pack(self, state):
        return {"y": np.array([state])}

    def unpack(self, arrays):
        return float(arrays["y"][0])

    def test(self, state, lam):
        return Test({"objective": (self._middle(lam) - 3) ** 2 / 2})


@dataclass(frozen=True)
class Mixed:
    """A real, a whole and a chosen parameter; the best is a + n / 4 = 1 with the shape `high`."""

    version: ClassVar[int] = 1
    presets: ClassVar = {"toy": {}}
    lowers: ClassVar = ("",)
    smallest: ClassVar = {}
    offset: float = option(0.0, "an option, so that the class has one", low=0, high=0)

    def prompts(self):
        return ("",)

    def check_prompt(self, prompt):
        refuse_prompt("mixed", prompt)

    def fingerprint(self):
        return {}

    def open(self, seed, prompt, lower, device):
        return MixedTask()
