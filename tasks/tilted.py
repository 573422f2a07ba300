"""Reward fine-tuning in closed form: p_data = N(0, 1), r2 = x, r1 = -(x - 1)^2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import Prices, Test
from benchmark.space import Float, Lam, Space
from tasks.toy import Toy


@dataclass(frozen=True)
class Gaussian:
    """The state: mean and variance of p."""

    mean: float
    variance: float


def _kl(p: Gaussian) -> float:
    """KL(p || N(0, 1)), in nats."""
    return (p.variance + p.mean**2 - 1 - float(np.log(p.variance))) / 2


class TiltedTask:
    """p* and its penalised form are Gaussian, so that one step solves the lower problem."""

    space = Space(
        (Float("lam", 0.05, 5.0, default=0.7, log=True, grid=(0.05, 0.2, 0.5, 2.0, 5.0)),)
    )
    horizon = 1

    def __init__(self) -> None:
        self.nfe = 0

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> Gaussian:
        self.nfe += 1
        return Gaussian(0.0, 1.0)

    def step(self, state: Gaussian, lam: Lam, tilt: float = 0.0) -> Gaussian:
        """p ∝ N(0, 1) exp((x - tilt (x - 1)^2)/lam), by completing the square."""
        self.nfe += 1
        # F = E[(x - 1)^2], so the tilt enters the exponent as a second reward
        strength = self.space.numbers(lam)["lam"]
        variance = 1 / (1 + 2 * tilt / strength)
        return Gaussian(variance * (1 + 2 * tilt) / strength, variance)

    def loss(self, state: Gaussian, lam: Lam) -> float:
        self.nfe += 1
        return (state.mean - 1) ** 2 + state.variance

    def grad(self, state: Gaussian, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam G = KL(p || N(0, 1)); F does not depend on lam."""
        self.nfe += 1
        return self.space.pullback(lam, {"lam": _kl(state)})

    def lower(self, state: Gaussian, lam: Lam) -> float:
        """G = -E[r2] + lam KL(p || N(0, 1)); not counted."""
        return -state.mean + self.space.numbers(lam)["lam"] * _kl(state)

    def pack(self, state: Gaussian) -> Mapping[str, NDArray[np.float64]]:
        return {"moments": np.array([state.mean, state.variance])}

    def unpack(self, arrays: Mapping[str, NDArray[np.float64]]) -> Gaussian:
        mean, variance = arrays["moments"].tolist()
        return Gaussian(mean, variance)

    def test(self, state: Gaussian, lam: Lam) -> Test:
        """`objective`: F at the exact lower solution."""
        # counted, so that a method which measured during its search would be seen
        self.nfe += 1
        exact = (1 / self.space.numbers(lam)["lam"] - 1) ** 2 + 1.0
        return Test({"objective": exact}, {"objective": "exact"}, loss=exact)


@dataclass(frozen=True)
class Tilted(Toy):
    """One logarithmic axis; optimum lam = 1."""

    toy: ClassVar[str] = "tilted"

    @property
    def space(self) -> Space:
        return TiltedTask.space

    def prices(self, lower: str) -> Prices:
        return self.priced(TiltedTask.horizon)

    def open(self, seed: int, prompt: str, lower: str, device: str) -> TiltedTask:
        return TiltedTask()
