"""The conformance suite that every method and task must pass: `bench check NAME`, and the tests of the built-ins."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import Ledger
from benchmark.journal import Journal, Line, ReplayError
from benchmark.metered import Metered
from benchmark.plan import make_method, make_task
from benchmark.protocol import Proposal
from benchmark.registry import TASKS
from benchmark.runner import checked, search
from benchmark.seeds import generator
from benchmark.space import Lam, Space

TOYS = ("quadratic", "tilted")
_BUDGET = 300  # network evaluations: some 13 full fits of `quadratic`, hundreds of `tilted`
_MOST = 200  # proposals after which a check has seen enough


class Watched:
    """A toy that notes every lam it is asked about. spoil: what becomes of F."""

    def __init__(self, toy: str, seed: int, spoil: Callable[[int, float], float] = lambda k, value: value) -> None:
        self._task: Any = make_task(toy, {}).open(seed, "", "", "cpu")
        self._spoil, self._losses = spoil, 0
        self.asked: list[Lam] = []
        self.space: Space = self._task.space
        self.horizon: int = self._task.horizon

    @property
    def nfe(self) -> int:
        return int(self._task.nfe)

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def init(self, seed: int) -> Any:
        return self._task.init(seed)

    def step(self, state: Any, lam: Lam, tilt: float = 0.0) -> Any:
        self.asked.append(np.array(lam))
        return self._task.step(state, lam, tilt)

    def loss(self, state: Any, lam: Lam) -> float:
        self._losses += 1
        return self._spoil(self._losses, float(self._task.loss(state, lam)))

    def grad(self, state: Any, lam: Lam, tilt: float = 0.0) -> Lam:
        found: Lam = self._task.grad(state, lam, tilt)
        return found

    def pack(self, state: Any) -> Any:
        return self._task.pack(state)

    def unpack(self, arrays: Any) -> Any:
        return self._task.unpack(arrays)

    def test(self, state: Any, lam: Lam) -> Any:
        return self._task.test(state, lam)


class _Sink(list[str]):
    """A journal's lines, kept in memory."""

    write = list.append

    def flush(self) -> None:
        """They are where they belong."""


Records = list[tuple[int, Proposal[Any]]]


def _records(name: str, task: Watched, seed: int, journal: Journal | None = None) -> tuple[Records, int]:
    """(nfe, proposal) of one search, and the network evaluations that it spent."""
    budget, ledger = Budget(_BUDGET, "nfe"), Ledger()
    metered = Metered(task, budget, ledger, journal=journal)
    found: Records = []
    try:
        for incumbent in search(make_method(name, {}), metered, generator(seed, "check"), ledger):
            found.append((incumbent.nfe, incumbent.proposal))
            if len(found) >= _MOST:
                break
    except OutOfBudget:
        pass
    return found, metered.nfe


def _same(first: Records, second: Records) -> bool:
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(n == m and np.array_equal(p.lam, q.lam) for (n, p), (m, q) in pairs)


def _objective(task: Any, lam: Lam) -> float:
    return float(task.test(task.init(0), lam).metrics["objective"])


def _states() -> object:
    """Both global generators, which a method must neither read nor move."""
    return random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002


def _same_seed(name: str, toy: str, first: Records) -> str:
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002 - a method that reads the global generator now gives other records
    before = _states()
    second, _ = _records(name, Watched(toy, 0), 0)
    if before != _states():
        return "it changed the global random state"
    return "" if _same(first, second) else "two runs with one seed gave different proposals"


def _resumes(name: str, toy: str, first: Records) -> str:
    """Cut short after a half of its requests, and gone on with from what was written down."""
    sink = _Sink()
    _records(name, Watched(toy, 0), 0, Journal(sink=sink))
    lines = [Line.read(text.encode()) for text in sink[: len(sink) // 2]]
    try:
        second, _ = _records(name, Watched(toy, 0), 0, Journal(lines))
    except ReplayError as error:
        return str(error)
    return "" if _same(first, second) else "a search that was cut short ended elsewhere after it was resumed"


def _in_cube(task: Watched, found: Records) -> str:
    if not found:
        return f"no proposal within {_BUDGET} network evaluations"
    for lam in (*task.asked, *(p.lam for _, p in found)):
        if np.shape(lam) != (task.space.dim,) or not np.all((lam >= 0) & (lam <= 1)):
            return f"asked about or proposed lam = {lam}, outside the unit cube"
    return ""


def _within_budget(found: Records, spent: int) -> str:
    if spent > _BUDGET:  # a toy's oracle call costs one, so that the last one allowed ends at the budget
        return f"spent {spent} of {_BUDGET} network evaluations"
    return "" if all(n <= _BUDGET for n, _ in found) else "a proposal came after the budget"


def _bad_losses(name: str, toy: str, value: float) -> str:
    task = Watched(toy, 0, lambda k, loss: value if k % 3 == 1 else loss)
    for _, p in _records(name, task, 0)[0]:
        checked(p, task.space.dim)
    return ""


def _better_than_centre(name: str, toy: str, first: Records) -> str:
    task = Watched(toy, 0)
    centre = _objective(task, np.full(task.space.dim, 0.5))
    searches = [first, *(_records(name, task, seed)[0] for seed in (1, 2))]
    middle = sorted(_objective(task, found[-1][1].lam) if found else math.inf for found in searches)[1]
    return "" if middle < centre else f"median F of 3 seeds {middle:.4g}, the centre point has {centre:.4g}"


def check_method(name: str) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong or "") for a registered method, on both closed-form toys."""
    for toy in TOYS:
        task = Watched(toy, 0)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        try:
            first, spent = _records(name, task, 0)
        except Exception as error:  # a plug-in may raise anything: that is a finding
            yield f"{toy}: it runs", f"{type(error).__name__}: {error}"
            continue
        checks: dict[str, Callable[[], str]] = {
            "same seed, same records; states opaque; no global random state": partial(_same_seed, name, toy, first),
            "cut short and resumed, same records": partial(_resumes, name, toy, first),
            "lam in the unit cube": partial(_in_cube, task, first),
            "spend within the budget": partial(_within_budget, first, spent),
            "F = inf is tolerated": partial(_bad_losses, name, toy, math.inf),
            "F = nan is tolerated": partial(_bad_losses, name, toy, math.nan),
            "better than the centre point": partial(_better_than_centre, name, toy, first),
        }
        for what, check in checks.items():
            try:
                problem = check()
            except Exception as error:  # as above
                problem = f"{type(error).__name__}: {error}"
            yield f"{toy}: {what}", problem


def check_task(name: str) -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong or "") for a registered task, on each of its lower-level solvers."""
    maker = make_task(name, TASKS.get(name).smallest)
    for lower in type(maker).lowers:
        where = f"{lower}: " if lower else ""
        try:
            task = maker.open(0, maker.prompts()[0], lower, "cpu")
            other = maker.open(0, maker.prompts()[0], lower, "cpu")
            for what, problem in (*_oracles(task), _packed(task, other)):
                yield where + what, problem
        except Exception as error:  # as above
            yield where + "all oracles answer", f"{type(error).__name__}: {error}"


def _oracles(task: Any) -> Iterator[tuple[str, str]]:
    lam, other = task.space.default(), np.clip(task.space.default() * 0.9, 0, 1)
    yield (
        "lam comes back from native units",
        "" if np.allclose(task.space.point(task.space.native(lam)), lam) else "it does not",
    )
    state = task.init(0)
    for _ in range(task.horizon):
        state = task.step(state, lam)
    before = task.nfe
    value = task.loss(state, lam)
    yield "F is a finite number", "" if math.isfinite(value) else f"got {value}"
    gradient = task.grad(state, lam, 0.01)
    good = np.shape(gradient) == (task.space.dim,) and bool(np.all(np.isfinite(gradient)))
    yield "grad is finite, (d,)", "" if good else f"got {gradient}"
    task.step(state, other, 0.01)
    yield "a step leaves its state as it was", "" if task.loss(state, lam) == value else "F of the old state changed"
    yield "network evaluations never go back", "" if task.nfe >= before > 0 else f"from {before} to {task.nfe}"
    test = task.test(state, lam)
    bad = [k for k, v in test.metrics.items() if not math.isfinite(v)]
    yield "test gives finite metrics", ("" if test.metrics else "none") if not bad else f"not finite: {', '.join(bad)}"
    again = task.test(state, lam)
    yield "test gives the same twice", "" if dict(again.metrics) == dict(test.metrics) else "it does not"


def _packed(task: Any, other: Any) -> tuple[str, str]:
    """A state goes on in another process as in its own; the other process is another instance of the task here."""
    from safetensors.numpy import load, save

    lam = task.space.default()
    state = task.step(task.init(0), lam)
    arrays = load(save({k: np.ascontiguousarray(v) for k, v in task.pack(state).items()}))
    answers = []
    for where, s in ((task, state), (other, other.unpack(arrays))):
        after = where.step(s, lam, 0.01)
        answers.append([where.loss(s, lam), where.loss(after, lam), *where.grad(after, lam, 0.01)])
    same = np.array_equal(answers[0], answers[1], equal_nan=True)
    return (
        "a state that was packed goes on to the bit",
        "" if same else f"answers differ: {answers[0]} and {answers[1]}",
    )
