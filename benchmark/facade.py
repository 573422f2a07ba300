"""What a method is given: the oracles as closures, and states as numbered handles.

No attribute leads from here to the task, its counters, the journal or the ledger, and nothing here can be set. This is no
sandbox: the cells of a closure, the frames of a traceback and the garbage collector can be searched, and only a process
of the task's own could prevent that. What a method then does to the counters is noticed (`benchmark/books.py`), what it
merely reads is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmark.space import Lam, Space


class Handle:
    """A state as a method has it: to keep and to pass on. A copy of it is itself, for states are values."""

    __slots__ = ("__weakref__", "number")
    number: int

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "number", number)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"states are opaque: a method read .{name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"states are opaque: a method set .{name}")

    def __copy__(self) -> Handle:
        return self

    def __deepcopy__(self, memo: object) -> Handle:
        return self


class Oracles(Protocol):
    """What the facade stands before."""

    @property
    def space(self) -> Space: ...
    @property
    def horizon(self) -> int: ...
    def init(self, seed: int) -> Handle: ...
    def step(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Handle: ...
    def loss(self, state: Handle, lam: Lam) -> float: ...
    def grad(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Lam: ...


@dataclass(frozen=True, slots=True)
class Facade:
    """A `Problem`, and nothing besides."""

    space: Space
    horizon: int
    init: Callable[..., Handle]
    step: Callable[..., Handle]
    loss: Callable[..., float]
    grad: Callable[..., Lam]


def facade(oracles: Oracles) -> Facade:
    """lam is passed on as a copy: a method may go on working in its own array, a state may keep what it was given."""

    def init(seed: int) -> Handle:
        return oracles.init(seed)

    def step(state: Handle, lam: Lam, tilt: float = 0.0) -> Handle:
        return oracles.step(state, np.array(lam, dtype=np.float64), tilt)

    def loss(state: Handle, lam: Lam) -> float:
        return oracles.loss(state, np.array(lam, dtype=np.float64))

    def grad(state: Handle, lam: Lam, tilt: float = 0.0) -> Lam:
        return oracles.grad(state, np.array(lam, dtype=np.float64), tilt)

    return Facade(oracles.space, oracles.horizon, init, step, loss, grad)
