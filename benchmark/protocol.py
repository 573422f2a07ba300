"""The narrow waist between methods and tasks: min over lam of F(lam, y(lam)), y(lam) = argmin G(lam, .).

lam: a point of the unit cube, (d,).  state: an approximate lower solution, opaque to methods, a value: never changed
in place.  F: the upper objective on validation data.  G: the lower objective.  tilt: the weight of F beside G.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.space import Lam, Space

S = TypeVar("S")


class Problem(Protocol[S]):
    """All that a method sees. Every call is charged; nothing here reads held-out data."""

    @property
    def space(self) -> Space: ...
    @property
    def horizon(self) -> int:
        """Steps of one full fit, the same for every method."""

    def init(self, seed: int) -> S:
        """Where a lower problem starts; the same state for the same seed."""

    def step(self, state: S, lam: Lam, tilt: float = 0.0) -> S:
        """One step on G + tilt*F; `state` stays as it was."""

    def loss(self, state: S, lam: Lam) -> float:
        """F, on validation data; inf where it is not a number."""

    def grad(self, state: S, lam: Lam, tilt: float = 0.0) -> Lam:
        """d/dlam of G + tilt*F with the state held fixed, (d,)."""


@dataclass(frozen=True)
class Test:
    """What the runner measures of a proposal on held-out data, and no method sees.

    metrics: finite numbers by name.  passport: what must agree before two of them may stand in one table.
    images: (N, H, W, 3) uint8, the same seeds for every method; an empty array where the task has none.
    curves: pictures of lam, by name such as `beta(t)`: (3, M): abscissa, this state's values, those of the task's default.
    references: the same metrics of things that no method made, by name such as `real validation images`; lines of a table
        by which a reader can place a number.
    A passport's `<metric>_name` (`fid_name`) is shown in that metric's heading.
    """

    metrics: Mapping[str, float]
    passport: Mapping[str, str] = field(default_factory=dict)
    images: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    __test__ = False


@dataclass(frozen=True)
class Prices:
    """Network evaluations of one request of each kind; never less than what it takes. horizon: steps of a full fit.

    `tilted_*`: with a tilt other than 0.
    """

    init: int
    step: int
    loss: int
    grad: int
    tilted_step: int
    tilted_grad: int
    horizon: int

    @property
    def fit(self) -> int:
        """Of one full fit and its F."""
        return self.init + self.horizon * self.step + self.loss

    def of(self, ask: str, tilt: float = 0.0) -> int:
        """Of a request by its name: `init`, `step`, `loss` or `grad`."""
        found: int = getattr(self, f"tilted_{ask}" if tilt and ask in ("step", "grad") else ask)
        return found


class Task(Problem[S], Protocol[S]):
    """What a task author writes: the oracles, what they cost, and the measurement that only the runner makes."""

    @property
    def nfe(self) -> int:
        """Network evaluations so far, counted where they happen; a toy counts one per oracle call."""

    def warm_up(self) -> None:
        """Touch what is slow the first time; the same for every method, not charged."""

    def pack(self, state: S) -> Mapping[str, NDArray[Any]]:
        """A state as arrays by name, so that a run which was cut short can go on from it."""

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> S:
        """The inverse of `pack`, to the bit, in any process."""

    def test(self, state: S, lam: Lam) -> Test: ...


@runtime_checkable
class Observable(Protocol):
    """What a task has besides, where G can be read off a state. `bench check` alone asks; no method does."""

    def lower(self, state: Any, lam: Lam) -> float:
        """G, on the random numbers that `grad` uses; it need not be counted."""


@dataclass(frozen=True)
class Proposal(Generic[S]):
    """The answer if stopped now."""

    lam: Lam
    state: S
    loss: float = np.inf


class Method(Protocol):
    """Work until done, or until the problem raises OutOfBudget through you; yield each new answer."""

    def __call__(self, problem: Problem[Any], rng: np.random.Generator) -> Iterator[Proposal[Any]]: ...
