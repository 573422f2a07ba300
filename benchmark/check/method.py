"""The checks of a method, on both closed-form toys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmark.budget import Budget, OutOfBudget
from benchmark.check.carried import Begun, Result, carried
from benchmark.check.global_seed import global_seed
from benchmark.check.reach import numbers, reached, ways
from benchmark.check.watched import TOYS, Watched
from benchmark.clock import Ledger
from benchmark.journal import Journal, Line, ReplayError
from benchmark.metered import Metered
from benchmark.plan import make_method
from benchmark.protocol import Problem, Proposal
from benchmark.registry import METHODS
from benchmark.runner import checked, search
from benchmark.seeds import generator
from benchmark.space import Lam

GIVEN = "is given no held-out seed and no way to the task by attributes"
_BUDGET = 300  # network evaluations: some 13 full fits of `quadratic`, hundreds of `tilted`
_MOST = 200  # proposals after which a check has seen enough
_SHOWN = 4  # ways to the task
_MEASURED = "it measured on held-out data {} times during the search"


class _Sink(list[str]):
    """A journal's lines, kept in memory."""

    write = list.append

    def flush(self) -> None:
        """They are where they belong."""


Records = list[tuple[int, Proposal[Any]]]
"""(network evaluations, proposal)."""


@dataclass(frozen=True)
class Searched:
    """One search. spent: network evaluations by the meter; counted: by the task itself.  tested: held-out measurements."""

    records: Records
    spent: int
    counted: int
    tested: int


def _search(name: str, task: Watched, seed: int, journal: Journal | None = None, global_state: int = 1) -> Searched:
    budget, ledger = Budget(_BUDGET, "nfe"), Ledger()
    metered = Metered(task, budget, ledger, journal=journal)
    counted, tested = task.nfe, task.tested
    found: Records = []
    with global_seed(global_state), suppress(OutOfBudget):
        for incumbent in search(make_method(name, {}), metered, generator(seed, "check"), ledger):
            found.append((incumbent.nfe, incumbent.proposal))
            if len(found) >= _MOST:
                break
    return Searched(found, metered.nfe, task.nfe - counted, task.tested - tested)


def _difference(first: Records, second: Records) -> str:
    """The first proposals that differ, or ""."""
    for k, ((n, p), (m, q)) in enumerate(zip(first, second, strict=False), 1):
        if n != m or not np.array_equal(p.lam, q.lam):
            return f"proposal {k} is lam = {p.lam} at {n} evaluations in one and lam = {q.lam} at {m} in the other"
    same = len(first) == len(second)
    return "" if same else f"one made {len(first)} proposals and the other {len(second)}"


def _objective(task: Any, lam: Lam) -> float:
    return float(task.test(task.init(0), lam).metrics["objective"])


def _same_seed(name: str, toy: str, first: Records) -> str:
    """A method may move the global generators (libraries do); it may not read them."""
    same, other = (_search(name, Watched(toy, 0), 0, global_state=k).records for k in (1, 2))
    differs = _difference(first, other)
    if not differs:
        return ""
    if _difference(first, same):
        return f"two runs with one seed differ: {differs}"
    return f"it reads a global random state, for two runs with one seed and other global seeds differ: {differs}"


def _resumes(name: str, toy: str, first: Records) -> str:
    """Cut short after a half of its requests, and gone on with from what was written down."""
    sink = _Sink()
    _search(name, Watched(toy, 0), 0, Journal(sink=sink))
    lines = [Line.read(text.encode()) for text in sink[: len(sink) // 2]]
    try:
        second = _search(name, Watched(toy, 0), 0, Journal(lines)).records
    except ReplayError as error:
        return str(error)
    differs = _difference(first, second)
    return f"a search that was cut short ended elsewhere after it was resumed: {differs}" if differs else ""


def _in_cube(task: Watched, found: Records) -> str:
    if not found:
        return f"no proposal within {_BUDGET} network evaluations"
    for lam in (*task.asked, *(p.lam for _, p in found)):
        if np.shape(lam) != (task.space.dim,) or not np.all((lam >= 0) & (lam <= 1)):
            return f"asked about or proposed lam = {lam}, outside the unit cube"
    return ""


def _within_budget(first: Searched) -> str:
    if first.spent > _BUDGET:  # a toy's oracle call costs one, so that the last one allowed ends at the budget
        return f"spent {first.spent} of {_BUDGET} network evaluations"
    return "" if all(n <= _BUDGET for n, _ in first.records) else "a proposal came after the budget"


def _by_the_meter(first: Searched) -> str:
    if first.tested:
        return _MEASURED.format(first.tested)
    if first.counted != first.spent:
        return f"it evaluated behind the meter: the task counted {first.counted}, the meter {first.spent}"
    return ""


def _bad_losses(name: str, toy: str, value: float) -> str:
    task = Watched(toy, 0, lambda k, loss: value if k % 3 == 1 else loss)
    for _, p in _search(name, task, 0).records:
        checked(p, task.space.dim)
    return ""


def _better_than_centre(name: str, toy: str, first: Records) -> str:
    task = Watched(toy, 0)
    centre = _objective(task, np.full(task.space.dim, 0.5))
    searches = [first, *(_search(name, task, seed).records for seed in (1, 2))]
    middle = sorted(_objective(task, found[-1][1].lam) if found else math.inf for found in searches)[1]
    return "" if middle < centre else f"median F of 3 seeds {middle:.4g}, the centre point has {centre:.4g}"


def problem_hides_the_task() -> str:
    """Looks where a method could look: through all attributes of what a search hands it and of two states.

    What only another process could hide, a closure's cells and the garbage collector's list, is not looked at.
    """
    task, budget, ledger, journal = Watched(TOYS[0], 0), Budget(_BUDGET, "nfe"), Ledger(), Journal()
    metered = Metered(task, budget, ledger, journal=journal)
    wrong: list[str] = []

    def probe(problem: Problem[Any], rng: np.random.Generator) -> Iterator[Proposal[Any]]:
        lam = problem.space.default()
        first = problem.init(0)
        given = {"problem": problem, "state": first}
        before = numbers(reached(given))
        given["later_state"] = problem.step(first, lam)
        loss, _ = problem.loss(first, lam), problem.grad(first, lam)
        known = {
            "the task": task,
            "the meter": metered,
            "its ledger": ledger,
            "its budget": budget,
            "its journal": journal,
        }
        inside = [("the task", task.inner), *(("what the task keeps in a state", made) for made in task.made)]
        wrong.extend(ways(given, [*known.items(), *inside], before))
        yield Proposal(lam, first, loss)

    next(search(probe, metered, generator(0, "check"), ledger))
    more = f" and {len(wrong) - _SHOWN} ways more" if len(wrong) > _SHOWN else ""
    return "; ".join(wrong[:_SHOWN]) + more


def check_method(name: str, begun: Begun = lambda what: None) -> Iterator[Result]:
    """(what was checked, what is wrong or "") for a registered method. begun: told what is checked next."""
    own = METHODS.files(name).values()
    yield carried(GIVEN, problem_hides_the_task, begun, own)
    for toy in TOYS:
        task = Watched(toy, 0)
        searches: list[Searched] = []

        def runs(task: Watched = task, searches: list[Searched] = searches) -> str:
            try:
                searches.append(_search(name, task, 0))
            except KeyboardInterrupt:
                raise
            except BaseException:
                if task.tested:  # what came after it, such as books that do not agree, says less
                    return _MEASURED.format(task.tested)
                raise
            return ""

        ran = carried(f"{toy}: it runs", runs, begun, own)
        if not searches:
            yield ran
            continue
        first = searches[0]
        checks: dict[str, Callable[[], str]] = {
            "same seed, same records, whatever the global random state; states opaque": partial(
                _same_seed, name, toy, first.records
            ),
            "cut short and resumed, same records": partial(_resumes, name, toy, first.records),
            "lam in the unit cube": partial(_in_cube, task, first.records),
            "spend within the budget": partial(_within_budget, first),
            "asks the task through the meter alone": partial(_by_the_meter, first),
            "F = inf is tolerated": partial(_bad_losses, name, toy, math.inf),
            "F = nan is tolerated": partial(_bad_losses, name, toy, math.nan),
            "better than the centre point": partial(_better_than_centre, name, toy, first.records),
        }
        for what, check in checks.items():
            yield carried(f"{toy}: {what}", check, begun, own)
