"""One lam for several prompts: a lower level for each, the upper objective their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import FeaturePairs, Test
from benchmark.space import Lam
from tasks.measure.pictures import together

States = tuple[Any, ...]


class Together:
    """State: one of each prompt's task. tasks: of the same solver and options."""

    def __init__(self, tasks: Sequence[Any]) -> None:
        self._tasks = tasks
        self.space, self.horizon = tasks[0].space, tasks[0].horizon
        # prompts share a loaded model, whose evaluations are counted once
        self._models = {id(task.model): task.model for task in tasks}

    @property
    def nfe(self) -> int:
        return sum(model.nfe for model in self._models.values())

    def warm_up(self) -> None:
        self._tasks[0].warm_up()

    def init(self, seed: int) -> States:
        return tuple(task.init(seed) for task in self._tasks)

    def step(self, state: States, lam: Lam, tilt: float = 0.0) -> States:
        pairs = zip(self._tasks, state, strict=True)
        return tuple(task.step(own, lam, tilt) for task, own in pairs)

    def loss(self, state: States, lam: Lam) -> float:
        pairs = zip(self._tasks, state, strict=True)
        return fmean(task.loss(own, lam) for task, own in pairs)

    def grad(self, state: States, lam: Lam, tilt: float = 0.0) -> Lam:
        pairs = zip(self._tasks, state, strict=True)
        slopes = [task.grad(own, lam, tilt) for task, own in pairs]
        return np.asarray(np.mean(slopes, 0))

    def lower(self, state: States, lam: Lam) -> float:
        """The mean G; not counted."""
        pairs = zip(self._tasks, state, strict=True)
        return fmean(task.lower(own, lam) for task, own in pairs)

    def pack(self, state: States) -> Mapping[str, NDArray[Any]]:
        packed = (task.pack(own) for task, own in zip(self._tasks, state, strict=True))
        return {f"{k}.{name}": v for k, own in enumerate(packed) for name, v in own.items()}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> States:
        pairs = zip(self._tasks, self._parts(arrays), strict=True)
        return tuple(task.unpack(found) for task, found in pairs)

    def _parts(self, arrays: Mapping[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
        """The arrays of each task, which are called `k.name`."""
        own: list[dict[str, NDArray[Any]]] = [{} for _ in self._tasks]
        for name, value in arrays.items():
            k, _, of = name.partition(".")
            own[int(k)][of] = value
        return own

    def answer(self, state: States, lam: Lam) -> dict[str, NDArray[Any]]:
        pairs = enumerate(zip(self._tasks, state, strict=True))
        each = ((k, task.answer(own, lam)) for k, (task, own) in pairs)
        return {f"{k}.{name}": v for k, own in each for name, v in own.items()}

    def samples(self, answer: Mapping[str, NDArray[Any]], lam: Lam) -> FeaturePairs:
        """Of all prompts together."""
        pairs = zip(self._tasks, self._parts(answer), strict=True)
        each = [task.samples(own, lam) for task, own in pairs]
        made, real = (
            {kind: np.concatenate([getattr(s, side)[kind] for s in each]) for kind in each[0].made}
            for side in ("made", "real")
        )
        seen = [s.pictures for s in each if s.pictures is not None]
        return FeaturePairs(made, real, each[0].names, together(seen))

    def test(self, state: States, lam: Lam) -> Test:
        """Each metric's mean over the prompts; the images of all, as many of each."""
        pairs = zip(self._tasks, state, strict=True)
        tests: list[Test] = [task.test(own, lam) for task, own in pairs]
        first = tests[0]
        lines = {
            line: _means([test.references[line] for test in tests]) for line in first.references
        }
        few = max(1, len(first.images) // len(tests))
        return replace(
            first,
            metrics=_means([test.metrics for test in tests]),
            loss=fmean(test.loss for test in tests if test.loss is not None),
            images=np.concatenate([test.images[:few] for test in tests]),
            references=lines,
        )


def _means(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(found[name] for found in each) for name in each[0]}
