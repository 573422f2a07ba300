"""`replay` opened: answers of a surrogate, at the prices and on the clock of what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import Test
from benchmark.seeds import substream
from benchmark.space import Lam
from tasks.replay.surrogate import Surrogate
from tasks.replay.table import Recorded, read_table

# of lam, where a training's noise is chosen by it
_DIGITS = 6


@lru_cache(maxsize=4)
def surrogate(path: Path, digest: str) -> Surrogate:
    """Fitted once a process. Raises UsageError."""
    return Surrogate.of(read_table(path, digest))


@dataclass(frozen=True)
class Replayed:
    """start: the seed of `init`.  steps: since then, at whatever lam."""

    start: int
    steps: int


class ReplayTask:
    """State: how many steps a start has had, each of `stride` recorded ones.

    table: with the prices of such steps. Recorded trainings had one lam each, so a state is taken
    to have had today's lam from its start.
    """

    def __init__(
        self, table: Recorded, known: Surrogate, seed: int, stride: int, noise: bool
    ) -> None:
        self._table, self._known, self._seed = table, known, seed
        self._stride, self._noise = stride, noise
        self.space, self.horizon = table.space, table.prices.horizon
        self.nfe = 0

    @property
    def seconds(self) -> float:
        """Simulated, so far."""
        return self.nfe * self._table.rate

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> Replayed:
        self.nfe += self._table.prices.init
        return Replayed(seed, 0)

    def step(self, state: Replayed, lam: Lam, tilt: float = 0.0) -> Replayed:
        self.nfe += self._table.prices.of("step", tilt)
        return Replayed(state.start, state.steps + 1)

    def loss(self, state: Replayed, lam: Lam) -> float:
        """F with the noise of a recorded training, which start, lam and the run's seed choose."""
        self.nfe += self._table.prices.loss
        return self._known.mean(lam, self._recorded(state), self._residuals(state, lam))

    def _recorded(self, state: Replayed) -> int:
        """Recorded steps that a state stands for."""
        return state.steps * self._stride

    def _residuals(self, state: Replayed, lam: Lam) -> NDArray[np.float64] | None:
        if not self._noise:
            return None
        text = " ".join(f"{u:.{_DIGITS}f}" for u in lam)
        chosen = substream(self._seed, "replay", state.start, text) % len(self._known.residuals)
        found: NDArray[np.float64] = self._known.residuals[chosen]
        return found

    def grad(self, state: Replayed, lam: Lam, tilt: float = 0.0) -> Lam:
        """tilt dF/dlam of the mean: G is not recorded, and counts as 0."""
        self.nfe += self._table.prices.of("grad", tilt)
        if not tilt:
            return np.zeros(self.space.dim)
        return tilt * self._known.slope(lam, self._recorded(state))

    def pack(self, state: Replayed) -> Mapping[str, NDArray[Any]]:
        return {"state": np.array([state.start, state.steps], np.int64)}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Replayed:
        return Replayed(*arrays["state"].tolist())

    def test(self, state: Replayed, lam: Lam) -> Test:
        """`objective`: the mean of F after a full fit at lam, without noise."""
        self.nfe += 1
        found = self._known.mean(lam, self.horizon * self._stride)
        passport = {"objective": f"replay of {self._table.task}"}
        return Test({"objective": found}, passport, loss=found)
