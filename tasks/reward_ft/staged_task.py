"""reward_ft on the bank first and on guided images then: cheap steps on lam, and true ones at last.

For methods that carry a state through the search; one that fits each lam anew stays on the bank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import FeaturePairs, Test
from benchmark.space import Lam


@dataclass(frozen=True)
class Stage:
    """bank, guided: states of the two solvers; guided is None before its stage.

    taken: steps so far.  seed: of the start.
    """

    bank: Any
    guided: Any
    taken: int
    seed: int


class StagedTask:
    """bank, guided: the two solvers on one model.  steps: so many are taken on the bank."""

    horizon = 1

    def __init__(self, bank: Any, guided: Any, steps: int) -> None:
        self._bank, self._guided, self._steps = bank, guided, steps
        self.space, self.model = bank.space, bank.model

    @property
    def nfe(self) -> int:
        return int(self.model.nfe)

    def warm_up(self) -> None:
        self._guided.warm_up()

    def init(self, seed: int) -> Stage:
        return Stage(self._bank.init(seed), None, 0, seed)

    def step(self, state: Stage, lam: Lam, tilt: float = 0.0) -> Stage:
        taken = state.taken + 1
        if state.taken < self._steps:
            return replace(state, bank=self._bank.step(state.bank, lam, tilt), taken=taken)
        # y and z each draw the same images: kept here, a resumed run would pay for them once more
        guided = self._guided.init(state.seed) if state.guided is None else state.guided
        return replace(state, guided=self._guided.step(guided, lam, tilt), taken=taken)

    def _now(self, state: Stage) -> tuple[Any, Any]:
        """The solver and the state of the stage."""
        if state.guided is None:
            return self._bank, state.bank
        return self._guided, state.guided

    def loss(self, state: Stage, lam: Lam) -> float:
        solver, own = self._now(state)
        return float(solver.loss(own, lam))

    def grad(self, state: Stage, lam: Lam, tilt: float = 0.0) -> Lam:
        solver, own = self._now(state)
        return np.asarray(solver.grad(own, lam, tilt))

    def lower(self, state: Stage, lam: Lam) -> float:
        solver, own = self._now(state)
        return float(solver.lower(own, lam))

    def pack(self, state: Stage) -> Mapping[str, NDArray[Any]]:
        found = {f"bank.{name}": v for name, v in self._bank.pack(state.bank).items()}
        if state.guided is not None:
            found |= {f"guided.{name}": v for name, v in self._guided.pack(state.guided).items()}
        return {**found, "counts": np.array([state.taken, state.seed], dtype=np.int64)}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Stage:
        own: dict[str, dict[str, NDArray[Any]]] = {"bank": {}, "guided": {}}
        for name, value in arrays.items():
            stage, dot, of = name.partition(".")
            if dot:
                own[stage][of] = value
        taken, seed = arrays["counts"].tolist()
        guided = self._guided.unpack(own["guided"]) if own["guided"] else None
        return Stage(self._bank.unpack(own["bank"]), guided, taken, seed)

    def answer(self, state: Stage, lam: Lam) -> dict[str, NDArray[Any]]:
        solver, own = self._now(state)
        return dict(solver.answer(own, lam))

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        # both solvers sample alike, from what either kept
        found: FeaturePairs = self._guided.samples(answer, lam)
        return found

    def test(self, state: Stage, lam: Lam) -> Test:
        """As the solver of the stage."""
        solver, own = self._now(state)
        found: Test = solver.test(own, lam)
        return found
