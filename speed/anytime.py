"""Which trial should a multi-fidelity method publish? The rules are compared on the same searches.

Each search is run once; at shares of its budget each rule chooses among the trials so far, and what
it chose is measured as the runner would measure it (its state on noise_schedule, its lam on the
toy). `python -m speed anytime` prints, for each task and rule, the median over methods and seeds,
and beside it the mean share of a full fit that the answers have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np

from benchmark.budget import Budget, OutOfBudget
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.spec import make_method, make_task
from methods.curves import Curves
from methods.trials import Trial

METHODS = ("successive_halving", "hyperband", "asha", "pbt", "freeze_thaw")
MARKS = (0.125, 0.25, 0.5, 1.0)
FITS = 8
TASKS: dict[str, tuple[dict[str, object], int, str]] = {
    "quadratic": ({"horizon": 60, "rate": 0.15}, 30, "objective"),
    "noise_schedule": (
        {
            "channels": "8,16",
            "batch": 16,
            "horizon": 30,
            "steps": 3,
            "samples": 100,
            "grad_samples": 40,
            "test_samples": 100,
        },
        3,
        "fid",
    ),
}
Trials = list[Trial[Any]]


def lowest(trials: Trials) -> Trial[Any]:
    return min(trials, key=lambda t: t.loss)


def longest(trials: Trials) -> Trial[Any]:
    return min(trials, key=lambda t: (-t.steps, t.loss))


def lowest_of_a_third(trials: Trials) -> Trial[Any]:
    most = max(t.steps for t in trials)
    return lowest([t for t in trials if 3 * t.steps >= most])


def extrapolated(trials: Trials) -> Trial[Any]:
    names = {t.lam.tobytes(): k for k, t in enumerate(trials)}
    lams = np.array([t.lam for t in trials])
    times = np.array([t.steps for t in trials]) / max(t.steps for t in trials)
    losses = np.array([t.loss for t in trials])
    curves = np.array([names[t.lam.tobytes()] for t in trials])
    ends = Curves.fit(lams, curves, times, losses).ends(lams)[0]
    found = trials[int(np.argmin(ends))]
    return max((t for t in trials if np.array_equal(t.lam, found.lam)), key=lambda t: t.steps)


RULES: dict[str, Callable[[Trials], Trial[Any]]] = {
    "lowest F": lowest,
    "lowest of a third": lowest_of_a_third,
    "longest-trained": longest,
    "lowest extrapolated F": extrapolated,
}


def searched(
    method: str, maker: Any, task: Any, seed: int
) -> tuple[Metered, list[tuple[float, Trial[Any]]]]:
    """(share of the budget, trial) of one search that pays for FITS full fits."""
    prices = maker.prices("")
    budget, ledger = Budget(FITS * prices.fit, "nfe"), Ledger()
    metered = Metered(task, budget, ledger, prices=prices)
    found: list[tuple[float, Trial[Any]]] = []
    with suppress(OutOfBudget):
        for trial in make_method(method, {}).search(facade(metered), generator(seed, method)):  # type: ignore[attr-defined]
            if trial.alive:
                found.append((metered.meter.nfe / budget.amount, trial))
    return metered, found


def measured(name: str, seed: int) -> Iterator[tuple[str, float, float, float, str]]:
    """(rule, mark, value, share of a full fit, method) of every method's answers."""
    options, _, metric = TASKS[name]
    maker = make_task(name, options)
    for method in METHODS:
        task = maker.open(seed, "", "", "cpu")
        metered, found = searched(method, maker, task, seed)
        known: dict[int, float] = {}
        for mark in MARKS:
            trials = [t for spent, t in found if spent <= mark]
            for rule, choose in RULES.items() if trials else ():
                t = choose(trials)
                if id(t) not in known:
                    inside = metered.states.inside(t.state)
                    known[id(t)] = task.test(inside, t.lam).metrics[metric]
                yield rule, mark, known[id(t)], t.steps / task.horizon, method


def shown(name: str, rows: list[tuple[str, float, float, float, str]]) -> Iterator[str]:
    """A line for each method, or all, and rule."""
    metric = TASKS[name][2]
    yield f"{name}: {metric} (share of a full fit) at shares {MARKS} of {FITS} full fits"
    for which, rule in product(("all", *METHODS), RULES):
        cells = []
        for mark in MARKS:
            mine = [r for r in rows if r[:2] == (rule, mark) and which in ("all", r[4])]
            values, shares = ([r[k] for r in mine] or [np.nan] for k in (2, 3))
            cells.append(f"{np.median(values):8.4f} ({np.mean(shares):4.2f})")
        yield f"  {which:20}{rule:24}{'  '.join(cells)}"


def main() -> None:
    for name, (_, seeds, _) in TASKS.items():
        rows = [row for seed in range(seeds) for row in measured(name, seed)]
        print(*shown(name, rows), sep="\n", flush=True)
