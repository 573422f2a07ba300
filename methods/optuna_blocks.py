"""How many points of a sampler of Optuna's may be asked at once without a change in any of them."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.samplers import CmaEsSampler, GridSampler, QMCSampler, RandomSampler


@dataclass(frozen=True)
class Blocks:
    """The blocks in which a sampler is asked.

    Points that no answer decides are the ones that would be asked one by one. Two exceptions draw
    from the same distribution: CMA-ES after its first generation, for Optuna takes a number more
    from the stream for each trial that runs, and QMC where its first trial fails.

    kind: its class.  arguments: those it is made with.  dim: axes.  batch: points asked at once
    where each depends on those before; the sampler then sees the ones that run (Optuna's constant
    liar in TPE, the process's own prediction in GP).
    """

    kind: type[Any]
    arguments: Mapping[str, Any]
    dim: int
    batch: int = 1

    def size(self, told: int, finite: int, at_once: int) -> int:
        """Points of the next block, from 1.

        told: trials so far.  finite: those of them with a finite F.  at_once: what the task answers
        at once with a gain.
        """
        known = self._known(told, finite)
        # a block never goes on beyond what is known: the rest of it would be asked too early
        return max(1, min(known, max(at_once, self.batch)) if known else self.batch)

    def _known(self, told: int, finite: int) -> int:
        """The next points that depend on no F that is not told yet."""
        if self.kind in (RandomSampler, QMCSampler):
            return sys.maxsize
        if issubclass(self.kind, GridSampler):
            sizes = (len(values) for values in self.arguments["search_space"].values())
            return max(0, math.prod(sizes) - told)
        start = max(0, self._argument("n_startup_trials") - finite)
        if start or self.kind is not CmaEsSampler:
            return start
        # a generation counts the finite ones alone
        started = self._argument("n_startup_trials")
        return self._population - (finite - started) % self._population

    @property
    def _population(self) -> int:
        """Points of a generation of CMA-ES, by its package's default (Hansen 2016)."""
        return self._argument("popsize") or 4 + math.floor(3 * math.log(max(1, self.dim)))

    def _argument(self, name: str) -> int:
        """An argument or its default; 0 where the class has no such argument."""
        parameter = self._parameters.get(name)
        default = parameter.default if parameter is not None else 0
        found = self.arguments.get(name, default)
        return found if isinstance(found, int) else 0

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        # once a search: to read a signature takes as long as a tenth of what TPE takes for a point
        return inspect.signature(self.kind).parameters
