"""The checks of a method, on the closed-form toys, of which one has an axis of each kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmark.check.carried import Begun, Result, carried
from benchmark.check.hidden import GIVEN, problem_hides_the_task
from benchmark.check.searched import BUDGET, Records, Searched, Sink, difference, search_once
from benchmark.check.watched import TOYS, Watched
from benchmark.registry import METHODS
from benchmark.search.loop import checked
from benchmark.space import Lam
from benchmark.store.journal import Journal, Line, ReplayError

_MEASURED = "it measured on held-out data {} times during the search"


def _objective(task: Any, lam: Lam) -> float:
    return float(task.test(task.init(0), lam).metrics["objective"])


def _same_seed(name: str, toy: str, first: Records) -> str:
    """A method may move the global generators (libraries do); it may not read them."""
    same, other = (search_once(name, Watched(toy, 0), 0, global_state=k).records for k in (1, 2))
    differs = difference(first, other)
    if not differs:
        return ""
    if difference(first, same):
        return f"two runs with one seed differ: {differs}"
    return (
        "it reads a global random state, for two runs with one seed and other global seeds "
        f"differ: {differs}"
    )


def _resumes(name: str, toy: str, first: Records) -> str:
    """Cut the search short after half of its requests, and resume it from its journal."""
    sink = Sink()
    search_once(name, Watched(toy, 0), 0, Journal(sink=sink))
    lines = [Line.read(text.encode()) for text in sink[: len(sink) // 2]]
    try:
        second = search_once(name, Watched(toy, 0), 0, Journal(lines)).records
    except ReplayError as error:
        return str(error)
    differs = difference(first, second)
    if not differs:
        return ""
    return f"a search that was cut short ended elsewhere after it was resumed: {differs}"


def _in_cube(task: Watched, found: Records) -> str:
    if not found:
        return f"no proposal within {BUDGET} network evaluations"
    for lam in (*task.asked, *(p.lam for _, p in found)):
        if np.shape(lam) != (task.space.dim,) or not np.all((lam >= 0) & (lam <= 1)):
            return f"asked about or proposed lam = {lam}, outside the unit cube"
    return ""


def _within_budget(first: Searched) -> str:
    # a toy's oracle call costs one, so that none can pass the budget
    if first.spent > BUDGET:
        return f"spent {first.spent} of {BUDGET} network evaluations"
    return "" if all(n <= BUDGET for n, _ in first.records) else "a proposal came after the budget"


def _by_the_meter(first: Searched) -> str:
    if first.tested:
        return _MEASURED.format(first.tested)
    if first.counted != first.spent:
        return (
            f"it evaluated behind the meter: the task counted {first.counted}, the meter "
            f"{first.spent}"
        )
    return ""


def _bad_losses(name: str, toy: str, value: float) -> str:
    # the first and then every third: a method must get over a bad start as well as a bad loss
    task = Watched(toy, 0, lambda k, loss: value if k % 3 == 1 else loss)
    for _, p in search_once(name, task, 0).records:
        checked(p, task.space.dim)
    return ""


def _better_than_centre(name: str, toy: str, first: Records) -> str:
    task = Watched(toy, 0)
    centre = _objective(task, np.full(task.space.dim, 0.5))
    searches = [first, *(search_once(name, task, seed).records for seed in (1, 2))]
    # the median, for one unlucky seed is no fault
    ends = [_objective(task, records[-1][1].lam) if records else math.inf for records in searches]
    middle = sorted(ends)[1]
    if middle < centre:
        return ""
    return f"median F of 3 seeds {middle:.4g}, the centre point has {centre:.4g}"


def _checks(name: str, toy: str, task: Watched, first: Searched) -> dict[str, Callable[[], str]]:
    records = first.records
    return {
        "same seed, same records, whatever the global random state; states opaque": partial(
            _same_seed, name, toy, records
        ),
        "cut short and resumed, same records": partial(_resumes, name, toy, records),
        "lam in the unit cube": partial(_in_cube, task, records),
        "spend within the budget": partial(_within_budget, first),
        "asks the task through the meter alone": partial(_by_the_meter, first),
        "F = inf is tolerated": partial(_bad_losses, name, toy, math.inf),
        "F = nan is tolerated": partial(_bad_losses, name, toy, math.nan),
        "better than the centre point": partial(_better_than_centre, name, toy, records),
    }


def check_method(name: str, begun: Begun = lambda what: None) -> Iterator[Result]:
    """(what was checked, what is wrong or "") for a method. begun: called with what is next."""
    own = METHODS.files(name).values()
    yield carried(GIVEN, problem_hides_the_task, begun, own)
    for toy in TOYS:
        task = Watched(toy, 0)
        searches: list[Searched] = []

        def runs(task: Watched = task, searches: list[Searched] = searches) -> str:
            try:
                searches.append(search_once(name, task, 0))
            except KeyboardInterrupt:
                raise
            except BaseException:
                # the error that came after a measurement is a consequence of it
                if task.tested:
                    return _MEASURED.format(task.tested)
                raise
            return ""

        ran = carried(f"{toy}: it runs", runs, begun, own)
        if not searches:
            yield ran
            continue
        for what, check in _checks(name, toy, task, searches[0]).items():
            yield carried(f"{toy}: {what}", check, begun, own)
