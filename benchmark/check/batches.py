"""Several points at once against one after the other, for a task that is `Batched`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.check.carried import Note
from benchmark.check.differences import points
from benchmark.check.subject import Arrays, Subject, same
from benchmark.protocol import Batched
from benchmark.space import Lam

# of an array's largest number: what another size of a batch may change by rounding
_CLOSE = 1e-4


def batches(s: Subject) -> str | Note:
    """Three states at lams of their own: the same answers and counts, and no state is changed."""
    task = s.task
    if not isinstance(s.task, Batched):
        return Note("not compared (the task has no `step_many` and `loss_many`)")
    default = task.space.default()
    lams = points(default)[:3]
    states = [s.start, s.start, s.fitted]
    before = [_copied(task.pack(state)) for state in states]
    wrong = [_steps(s, states, lams, tilt) for tilt in (0.0, 0.1)] + [_losses(s, states, lams)]
    if not all(same(a, task.pack(state)) for a, state in zip(before, states, strict=True)):
        wrong.append("a state that was given has changed")
    return "; ".join(filter(None, wrong))


def _steps(s: Subject, states: Sequence[Any], lams: Sequence[Lam], tilt: float) -> str:
    count = s.task.nfe
    alone = [s.task.step(state, lam, tilt) for state, lam in zip(states, lams, strict=True)]
    middle = s.task.nfe
    together = s.task.step_many(states, lams, tilt)
    one, other = ([s.task.pack(state) for state in found] for found in (alone, together))
    name = "tilted step_many" if tilt else "step_many"
    return _compared(name, one, other, middle - count, s.task.nfe - middle)


def _losses(s: Subject, states: Sequence[Any], lams: Sequence[Lam]) -> str:
    count = s.task.nfe
    alone = [s.task.loss(state, lam) for state, lam in zip(states, lams, strict=True)]
    middle = s.task.nfe
    together = s.task.loss_many(states, lams)
    one, other = ([{"F": np.array(loss)} for loss in found] for found in (alone, together))
    return _compared("loss_many", one, other, middle - count, s.task.nfe - middle)


def _compared(
    name: str, alone: Sequence[Arrays], together: Sequence[Arrays], took: int, took_together: int
) -> str:
    """took: evaluations of all the single requests."""
    if len(alone) != len(together):
        return f"{name} of {len(alone)} points gave {len(together)} answers"
    for k, (one, other) in enumerate(zip(alone, together, strict=True), 1):
        for part in one:
            if part not in other or not _close(np.asarray(one[part]), np.asarray(other[part])):
                return f"{name}: point {k} has another {part} than alone, by more than rounding"
    if took != took_together:
        return f"{name} took {took_together} evaluations, one after the other {took}"
    return ""


def _close(one: Any, other: Any) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    size = np.max(np.abs(one[np.isfinite(one)]), initial=0.0)
    return bool(np.allclose(one, other, rtol=0, atol=_CLOSE * size, equal_nan=True))


def _copied(arrays: Arrays) -> Arrays:
    # `pack` may give the state's own arrays
    return {name: np.array(value) for name, value in arrays.items()}
