"""The narrow waist between methods and tasks.

The problem: min over lam of F(lam, y(lam)), where y(lam) = argmin G(lam, .).

lam: a point of the unit cube, (d,).  state: an approximate lower solution, opaque to methods, a
value: never changed in place.  F: the upper objective on validation data.  G: the lower objective.
tilt: the weight of F beside G.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.space import Lam, Space

S = TypeVar("S")


class Oracles(Protocol[S]):
    """What a task answers. Nothing here reads held-out data."""

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


@runtime_checkable
class Batched(Protocol[S]):
    """Optional for a task that answers several points at once. It counts for each of them what
    one alone takes. Numbers may differ from those of one alone by rounding.
    """

    @property
    def batch(self) -> int:
        """How many states it answers at once with a gain, from 1: none. More may be asked."""

    def step_many(self, states: Sequence[S], lams: Sequence[Lam], tilt: float = 0.0) -> Sequence[S]:
        """`step` of each state at its own lam, in their order. The same state may come twice."""

    def loss_many(self, states: Sequence[S], lams: Sequence[Lam]) -> Sequence[float]:
        """`loss` of each state at its own lam, in their order."""


class Problem(Oracles[S], Batched[S], Protocol[S]):
    """All that a method sees: the oracles, each call of which is charged, and the budget.

    A method may plan by its budget; it may not read a clock, which a replay cannot answer. Where
    the task is not `Batched`, `batch` is 1 and `step_many` asks for one after the other.
    """

    @property
    def budget(self) -> Budget:
        """What the whole search may spend."""

    @property
    def prices(self) -> Prices | None:
        """Network evaluations of each request; None where the task does not say."""

    def remaining(self) -> float:
        """The share of the budget that is left, from 1 down to 0. A request like the others: a
        resumed search has the same answers.
        """


@dataclass(frozen=True)
class Test:
    """What the runner measures of a proposal on held-out data, and no method sees.

    metrics: finite numbers by name.
    passport: what must agree before two measurements may stand in one table. An entry
        `<metric>_name` (`fid_name`) is shown in that metric's heading.
    images: (N, H, W, 3) uint8, the same seeds for every method; an empty array for none.
    curves: pictures of lam, by name such as `beta(t)`, each (3, M): abscissa, this state's values,
        those of the task's default.
    references: the same metrics of things that no method made, by name such as `real validation
        images`; lines of a table by which a reader can place a number.
    loss: F on held-out data, where F was measured there; beside the F that a search saw it tells
        how much of that was luck, where both are of as many samples.
    """

    metrics: Mapping[str, float]
    passport: Mapping[str, str] = field(default_factory=dict)
    images: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    loss: float | None = None
    # else pytest takes the class for a test
    __test__ = False


@dataclass(frozen=True, eq=False)
class ImagePairs:
    """What an answer makes on held-out seeds, and real things beside it, as images.

    made: (N, H, W, 3) float32 in [0, 1].  prompts: one an image, or () where the task has none.
    real: the real images in parts, each as `made`.  key: what decides which these are, or "" where
        no other answer is compared with them.
    device: of the run.
    """

    made: NDArray[np.float32]
    real: Callable[[], Iterable[NDArray[np.float32]]]
    key: str
    prompts: tuple[str, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class FeaturePairs:
    """What an answer makes on held-out seeds, and real things beside it, as features of images.

    made, real: by the kind of features, (N, D) and (M, D) float: `frechet`, those that the Frechet
        distance is measured in, and `clip`, embeddings of length 1.
    names: of the networks, by kind, with their hashes.  pictures: the images themselves, for
        metrics with a network of their own.
    """

    made: Mapping[str, NDArray[Any]]
    real: Mapping[str, NDArray[Any]]
    names: Mapping[str, str]
    pictures: ImagePairs | None = None


@dataclass(frozen=True)
class Prices:
    """Network evaluations of one request of each kind; never less than what it takes.

    `tilted_*`: with a tilt other than 0.  horizon: steps of a full fit.
    bound: whether a request may take less, as where what it takes hangs on the state.
    """

    init: int
    step: int
    loss: int
    grad: int
    tilted_step: int
    tilted_grad: int
    horizon: int
    bound: bool = False

    @property
    def fit(self) -> int:
        """Of one full fit and its F."""
        return self.init + self.horizon * self.step + self.loss

    def of(self, ask: str, tilt: float = 0.0) -> int:
        """Of a request by its name: `init`, `step`, `loss` or `grad`; of one of a batch."""
        ask = ask.removesuffix("_many")
        found: int = getattr(self, f"tilted_{ask}" if tilt and ask in ("step", "grad") else ask)
        return found


@dataclass(frozen=True)
class Refit:
    """How a lam is measured by itself: trainings from scratch, on seeds that no search had.

    lengths: steps after which a training is measured, from short to long.  trainings: how many, on
    a seed each.  metrics: those of `test` that are kept. The same for every method.
    """

    lengths: tuple[int, ...]
    trainings: int
    metrics: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be done."""
        rising = [0, *self.lengths] == sorted({0, *self.lengths})
        if not (self.lengths and rising and self.trainings >= 1 and self.metrics):
            raise UsageError(
                "refit: expected lengths from short to long, one training or more and the names of "
                f"metrics, got {self}"
            )


@dataclass(frozen=True)
class Use:
    """What was found, for use without the suite.

    code: Python to paste.  values: the same as plain values of JSON.
    """

    code: str
    values: Mapping[str, Any]


class Task(Oracles[S], Protocol[S]):
    """What a task author writes: the oracles, their cost, and the runner's measurement."""

    @property
    def nfe(self) -> int:
        """Network evaluations so far, counted where they happen; a toy counts oracle calls."""

    def warm_up(self) -> None:
        """Touch what is slow the first time; the same for every method, not charged."""

    def pack(self, state: S) -> Mapping[str, NDArray[Any]]:
        """A state as arrays by name, so that a run which was cut short can go on from it."""

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> S:
        """The inverse of `pack`, to the bit, in any process."""

    def test(self, state: S, lam: Lam) -> Test: ...


@runtime_checkable
class Remeasured(Protocol):
    """Optional for a task whose answers can be measured by other metrics later."""

    def answer(self, state: Any, lam: Lam) -> Mapping[str, NDArray[Any]]:
        """All that `samples` needs of a state, as arrays by name; it is stored with the run."""

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        """On the seeds and against the real images of `test`. Raises UsageError for none."""


@runtime_checkable
class Simulated(Protocol):
    """Optional for a task that answers from a record: what its answers would have taken."""

    @property
    def seconds(self) -> float:
        """So far, from 0 when it is opened; a run's clock counts them beside its own."""


@runtime_checkable
class Observable(Protocol):
    """Optional for a task, where G can be read off a state; `bench check` alone asks."""

    def lower(self, state: Any, lam: Lam) -> float:
        """G, on the random numbers that `grad` uses; it need not be counted."""


@dataclass(frozen=True)
class Proposal(Generic[S]):
    """The answer if stopped now."""

    lam: Lam
    state: S
    loss: float = np.inf


class Method(Protocol):
    """Yield each new answer, until done or until the problem raises OutOfBudget through you."""

    def __call__(
        self, problem: Problem[Any], rng: np.random.Generator
    ) -> Iterator[Proposal[Any]]: ...
