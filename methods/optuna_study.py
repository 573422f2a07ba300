"""Ask and tell on a study of Optuna (Akiba et al. 2019) in memory, over axes in native units."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, CmaEsSampler, GridSampler
from optuna.trial import Trial, TrialState

from benchmark.fitting import batch_of, fit_many
from benchmark.protocol import Problem, Proposal, S
from benchmark.space import Axis, Choice, Integer, Lam, Space
from methods.optuna_blocks import Blocks
from methods.optuna_needs import load

_MOST = 1e100  # of what a sampler is told: a Gaussian process squares it


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's log below errors, and without warnings, such as those about experimental
    features; afterwards both are as they were.
    """
    # not its loggers' level: to set one clears the cache of every logger there is, at each point
    handlers = [(h, h.level) for h in logging.getLogger("optuna").handlers]
    for handler, level in handlers:
        handler.setLevel(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler, level in handlers:
            handler.setLevel(level)


class _Study(optuna.Study):
    """A sampler that has nothing left to try calls `stop`, which Optuna allows in its own loop."""

    ended = False

    def stop(self) -> None:
        self.ended = True


def _study(sampler: BaseSampler) -> _Study:
    storage = optuna.storages.InMemoryStorage()
    number = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE])
    return _Study(storage.get_study_name_from_id(number), storage, sampler)


def _distribution(axis: Axis, ordered: bool) -> BaseDistribution:
    """ordered: a Choice is the index of its text."""
    if isinstance(axis, Choice):
        if ordered:
            return IntDistribution(0, len(axis.values) - 1)
        return CategoricalDistribution(axis.values)
    if isinstance(axis, Integer):
        return IntDistribution(axis.low, axis.high, log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _point(space: Space, asked: dict[str, Any]) -> Lam:
    values = {
        a.name: a.values[v] if isinstance(a, Choice) and isinstance(v, int) else v
        for a, v in ((a, asked[a.name]) for a in space.axes)
    }
    # exp(log(low)) may lie one rounding below low
    return np.clip(space.point(values), 0.0, 1.0)


def _tell(study: _Study, trial: Trial, loss: float) -> None:
    if math.isfinite(loss):
        study.tell(trial, min(_MOST, max(-_MOST, loss)))
    else:
        study.tell(trial, state=TrialState.FAIL)


def _grid(space: Space) -> dict[str, list[float | str]]:
    """The task's own grid, by axis."""
    points = [space.native(p) for p in space.grid()]
    return {a.name: list(dict.fromkeys(p[a.name] for p in points)) for a in space.axes}


def search(
    problem: Problem[S],
    rng: np.random.Generator,
    trials: int,
    kind: type[Any],
    *,
    batch: int = 1,
    **arguments: Any,
) -> Iterator[Proposal[S]]:
    """The best so far of at most `trials` points that a sampler asks for.

    kind: a class of `BaseSampler` that takes a seed.  arguments: its others.  batch: points asked
    at once by a model; what no model chooses is asked as many at once as the task answers with a
    gain (`Blocks`). A trial without a finite F is told as failed. Raises what the class raises.
    """
    load(kind)
    if issubclass(kind, GridSampler):
        arguments["search_space"] = _grid(problem.space)
    with quiet():
        sampler = kind(seed=int(rng.integers(2**31)), **arguments)
    blocks = Blocks(kind, arguments, problem.space.dim, batch)
    return _proposals(problem, trials, sampler, blocks)


def _proposals(
    problem: Problem[S], trials: int, sampler: BaseSampler, blocks: Blocks
) -> Iterator[Proposal[S]]:
    with quiet():
        study = _study(sampler)
    # CMA-ES draws categories at random and learns nothing of them; of an index it does
    ordered = isinstance(sampler, CmaEsSampler)
    axes = {a.name: _distribution(a, ordered) for a in problem.space.axes}
    best = np.inf
    told = finite = 0
    at_once = batch_of(problem)
    while told < trials and not study.ended:
        size = min(blocks.size(told, finite, at_once), trials - told)
        with quiet():
            asked = [study.ask(axes) for _ in range(size)]
        points = [_point(problem.space, trial.params) for trial in asked]
        for trial, found in zip(asked, fit_many(problem, points, seed=0), strict=True):
            with quiet():
                _tell(study, trial, found.loss)
            told, finite = told + 1, finite + math.isfinite(found.loss)
            if found.loss < best:
                best = found.loss
                yield found
