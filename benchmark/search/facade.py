"""What a method is given: the oracles as closures, and states as numbered handles.

No attribute leads from here to the task, its counters, the journal or the ledger, and nothing
here can be set. This is no sandbox: the cells of a closure, the frames of a traceback and the
garbage collector can be searched, and only a process of the task's own could prevent that. The
audit (`benchmark/search/audit.py`) sees what a method then does to the counters, not what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from benchmark.budget import Budget
from benchmark.protocol import Prices
from benchmark.space import Lam, Space


class Handle:
    """A state as a method has it: to keep and to pass on. A copy of it is itself."""

    # weak references tell when a method has let go of a state
    __slots__ = ("__weakref__", "number")
    number: int

    def __init__(self, number: int) -> None:
        # our own __setattr__ refuses everything
        object.__setattr__(self, "number", number)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"states are opaque: a method read .{name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"states are opaque: a method set .{name}")

    def __copy__(self) -> Handle:
        return self

    def __deepcopy__(self, memo: object) -> Handle:
        return self


class Charged(Protocol):
    """What the facade stands before."""

    @property
    def budget(self) -> Budget: ...
    @property
    def prices(self) -> Prices | None: ...
    @property
    def space(self) -> Space: ...
    @property
    def horizon(self) -> int: ...
    def init(self, seed: int) -> Handle: ...
    def step(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Handle: ...
    def loss(self, state: Handle, lam: Lam) -> float: ...
    def grad(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Lam: ...
    def remaining(self) -> float: ...
    @property
    def batch(self) -> int: ...
    def step_many(
        self, states: Sequence[Handle], lams: Sequence[Lam], tilt: float = 0.0
    ) -> list[Handle]: ...
    def loss_many(self, states: Sequence[Handle], lams: Sequence[Lam]) -> list[float]: ...


@dataclass(frozen=True, slots=True)
class Facade:
    """A `Problem`, and nothing besides."""

    space: Space
    horizon: int
    budget: Budget
    prices: Prices | None
    init: Callable[..., Handle]
    step: Callable[..., Handle]
    loss: Callable[..., float]
    grad: Callable[..., Lam]
    remaining: Callable[[], float]
    batch: int
    step_many: Callable[..., list[Handle]]
    loss_many: Callable[..., list[float]]


def facade(oracles: Charged) -> Facade:
    """The closures that a method calls."""
    # lam is copied: a method may go on working in its array, and a state may keep what it was given

    def init(seed: int) -> Handle:
        return oracles.init(seed)

    def step(state: Handle, lam: Lam, tilt: float = 0.0) -> Handle:
        return oracles.step(state, np.array(lam, dtype=np.float64), tilt)

    def loss(state: Handle, lam: Lam) -> float:
        return oracles.loss(state, np.array(lam, dtype=np.float64))

    def grad(state: Handle, lam: Lam, tilt: float = 0.0) -> Lam:
        return oracles.grad(state, np.array(lam, dtype=np.float64), tilt)

    def remaining() -> float:
        return oracles.remaining()

    def step_many(states: Sequence[Handle], lams: Sequence[Lam], tilt: float = 0.0) -> list[Handle]:
        return oracles.step_many(states, [np.array(lam, dtype=np.float64) for lam in lams], tilt)

    def loss_many(states: Sequence[Handle], lams: Sequence[Lam]) -> list[float]:
        return oracles.loss_many(states, [np.array(lam, dtype=np.float64) for lam in lams])

    budget = replace(oracles.budget)  # a copy: the meter's own is none of the method's
    return Facade(
        oracles.space,
        oracles.horizon,
        budget,
        oracles.prices,
        init,
        step,
        loss,
        grad,
        remaining,
        oracles.batch,
        step_many,
        loss_many,
    )
