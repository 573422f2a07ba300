"""reward_ft on a bank of unguided samples, where one step is the closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmark.protocol import Test
from benchmark.space import Lam
from tasks.reward_ft.importance import Bank, Vector, Weights, ess, guard, kl, softmax, solve
from tasks.reward_ft.task import RewardTask


class Importance(RewardTask):
    """State: weights over a bank of unguided samples. One step is the closed form."""

    horizon = 1

    def init(self, seed: int) -> Weights:
        """The bank, with equal weights; `seed` chooses its images."""
        images = self.sampler(self.seeds(f"bank {seed}", self._options.bank)).images
        bank = Bank(self.r1(images), self.r2(images))
        return Weights(bank, softmax(np.zeros(len(bank.r2))), np.inf)

    def step(self, state: Weights, lam: Lam, tilt: float = 0.0) -> Weights:
        return solve(state.bank, self.space.numbers(lam)["lam"], tilt)

    def loss(self, state: Weights, lam: Lam) -> float:
        return -float(state.w @ state.bank.r1)

    def grad(self, state: Weights, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt F = KL; neither expectation depends on lam."""
        return self.space.pullback(lam, {"lam": kl(state.w)})

    def lower(self, state: Weights, lam: Lam) -> float:
        """G = -E[r2] + lam KL(p || p_data) on the bank."""
        return -float(state.w @ state.bank.r2) + self.space.numbers(lam)["lam"] * kl(state.w)

    def pack(self, state: Weights) -> Mapping[str, Vector]:
        return {
            "r1": state.bank.r1,
            "r2": state.bank.r2,
            "w": state.w,
            "lam": np.array([state.lam]),
        }

    def unpack(self, arrays: Mapping[str, Vector]) -> Weights:
        return Weights(Bank(arrays["r1"], arrays["r2"]), arrays["w"], float(arrays["lam"][0]))

    def _used(self, state: Weights, lam: Lam) -> float:
        return guard(state.bank, self.space.numbers(lam)["lam"])

    def answer(self, state: Weights, lam: Lam) -> dict[str, Vector]:
        return {"lam": np.array([self._used(state, lam)])}

    def test(self, state: Weights, lam: Lam) -> Test:
        """As `measure`, at the lam that the solver used."""
        # else a search could propose any lam of the collapsed range and be measured at another
        used = self._used(state, lam)
        measured = self.measure(used)
        size = ess(softmax(state.bank.r2 / used))
        return replace(measured, metrics={**measured.metrics, "lam_used": used, "ess": size})
