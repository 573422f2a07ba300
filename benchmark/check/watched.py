"""A closed-form toy that records what is asked of it, and in which way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmark.space import Lam, Space
from benchmark.spec import make_task

TOYS = ("quadratic", "tilted", "kinds")


class Watched:
    """A toy task with a record of its requests.

    asked: every lam of a step.  made: every state.  tested: calls of the held-out measurement,
        whoever made them.  spoil: gives what `loss` answers instead, from its number and F.
    """

    def __init__(
        self, toy: str, seed: int, spoil: Callable[[int, float], float] = lambda k, value: value
    ) -> None:
        self.inner: Any = make_task(toy, {}).open(seed, "", "", "cpu")
        self._spoil, self._losses = spoil, 0
        self._test = self.inner.test
        # a method that reaches the toy itself is seen too
        vars(self.inner)["test"] = self.test
        self.asked: list[Lam] = []
        self.made: list[Any] = []
        self.tested = 0
        self.space: Space = self.inner.space
        self.horizon: int = self.inner.horizon

    @property
    def nfe(self) -> int:
        return int(self.inner.nfe)

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> Any:
        self.made.append(self.inner.init(seed))
        return self.made[-1]

    def step(self, state: Any, lam: Lam, tilt: float = 0.0) -> Any:
        self.asked.append(np.array(lam))
        self.made.append(self.inner.step(state, lam, tilt))
        return self.made[-1]

    def loss(self, state: Any, lam: Lam) -> float:
        self._losses += 1
        return self._spoil(self._losses, float(self.inner.loss(state, lam)))

    def grad(self, state: Any, lam: Lam, tilt: float = 0.0) -> Lam:
        found: Lam = self.inner.grad(state, lam, tilt)
        return found

    def pack(self, state: Any) -> Any:
        return self.inner.pack(state)

    def unpack(self, arrays: Any) -> Any:
        return self.inner.unpack(arrays)

    def test(self, state: Any, lam: Lam) -> Any:
        self.tested += 1
        return self._test(state, lam)
