"""A task while it is checked: opened twice, under two states of the global generators."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.check.global_seed import global_seed
from benchmark.fitting import advance
from benchmark.maker import Priced, Refitted, TaskMaker, Tolerant
from benchmark.protocol import Observable

_TOLERANCE = 0.05

Arrays = Mapping[str, NDArray[Any]]


class Subject:
    """A task on one lower-level solver.

    task, other: two instances.  observable: whether G can be read off a state.
    prices: None where the task states none.
    refit: how a lam is measured by itself; None where the task has no refits.
    tolerance: relative error that the hypergradient may have; None where it is not to be compared.
    """

    def __init__(self, maker: TaskMaker, lower: str) -> None:
        self.prices = maker.prices(lower) if isinstance(maker, Priced) else None
        self.tolerance = maker.tolerance(lower) if isinstance(maker, Tolerant) else _TOLERANCE
        self.refit = maker.refit if isinstance(maker, Refitted) else None
        # two instances under two global seeds: where they differ, the task reads that generator
        with global_seed(1):
            self.task: Any = maker.open(0, maker.prompts()[0], lower, "cpu")
            before = self.task.nfe
            self.observable = isinstance(self.task, Observable)
            self.start: Any = self.task.init(0)
            self.init_took = int(self.task.nfe - before)
        with global_seed(2):
            self.other: Any = maker.open(0, maker.prompts()[0], lower, "cpu")
            self.other_start: Any = self.other.init(0)

    @cached_property
    def fitted(self) -> Any:
        """A full fit at the default."""
        return advance(self.task, self.start, self.task.space.default(), self.task.horizon)


def same(first: Arrays, second: Arrays) -> bool:
    """To the bit, of equal shapes and types."""
    return first.keys() == second.keys() and all(
        a.shape == b.shape
        and a.dtype == b.dtype
        and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
        for a, b in ((np.asarray(first[k]), np.asarray(second[k])) for k in first)
    )
