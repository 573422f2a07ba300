"""The checks of a task, on each of its lower-level solvers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmark.check.batches import batches
from benchmark.check.carried import Begun, Note, Result, carried
from benchmark.check.differences import grad_of_lower, hypergradient, tilted_steps
from benchmark.check.evaluations import evaluations
from benchmark.check.global_seed import global_seed
from benchmark.check.subject import Subject, same
from benchmark.registry import TASKS
from benchmark.report.preview import row_of
from benchmark.search.tested import checked
from benchmark.spec import make_task


def check_task(name: str, begun: Begun = lambda what: None) -> Iterator[Result]:
    """(what was checked, what is wrong or "") for a task. begun: called with what is next."""
    own = TASKS.files(name).values()
    maker = make_task(name, TASKS.get(name).smallest)
    for lower in type(maker).lowers:
        where = f"{lower}: " if lower else ""
        opened: list[Subject] = []

        def opens(lower: str = lower, opened: list[Subject] = opened) -> str:
            opened.append(Subject(maker, lower))
            return ""

        result = carried(f"{where}it opens, and init answers", opens, begun, own)
        if not opened:
            yield result
            continue
        for what, check in _CHECKS.items():
            yield carried(where + what, partial(check, opened[0]), begun, own)


def _native(s: Subject) -> str:
    lam = s.task.space.default()
    return "" if np.allclose(s.task.space.point(s.task.space.native(lam)), lam) else "it does not"


def _init(s: Subject) -> str:
    first, second = s.task.pack(s.start), s.other.pack(s.other_start)
    if same(first, second):
        return ""
    return "it is not: draw from a generator seeded with the run's seed and `init`'s"


def _finite(s: Subject) -> str:
    value = s.task.loss(s.fitted, s.task.space.default())
    return "" if math.isfinite(value) else f"got {value}"


def _shape(s: Subject) -> str:
    gradient = s.task.grad(s.fitted, s.task.space.default(), 0.01)
    good = np.shape(gradient) == (s.task.space.dim,) and bool(np.all(np.isfinite(gradient)))
    return "" if good else f"got {gradient}"


def _value(s: Subject) -> str:
    lam, before = s.task.space.default(), s.task.pack(s.fitted)
    # copies, for `pack` may give the state's own arrays
    before = {k: np.array(v) for k, v in before.items()}
    value = s.task.loss(s.fitted, lam)
    s.task.step(s.fitted, np.clip(lam * 0.9, 0, 1), 0.01)
    s.task.grad(s.fitted, lam, 0.01)
    if s.task.loss(s.fitted, lam) != value:
        return "F of the old state changed"
    return "" if same(before, s.task.pack(s.fitted)) else "the old state changed"


def _tilt(s: Subject) -> str | Note:
    lam = s.task.space.default()
    without = s.task.pack(s.task.step(s.start, lam))
    if not all(same(without, s.task.pack(s.task.step(s.start, lam, tilt))) for tilt in (0.1, 1.0)):
        return ""
    # a task may leave F out of its steps if it says both that they cost the same and that its
    # hypergradient is not dF
    if s.tolerance is None and s.prices is not None and s.prices.tilted_step == s.prices.step:
        return Note("it does not, and the task says so (equal prices, no tolerance)")
    return (
        "it does not: `step` ignores it; a task that means this gives `prices` with "
        "tilted_step = step and `tolerance` None"
    )


def _metrics(s: Subject) -> str:
    test = s.task.test(s.fitted, s.task.space.default())
    try:
        checked(test)
    except ValueError as error:
        return str(error)
    lacking = set(s.refit.metrics if s.refit else ()) - set(test.metrics)
    return f"refit names {', '.join(sorted(lacking))}, which it does not measure" if lacking else ""


def _twice(s: Subject) -> str:
    first, second = (s.task.test(s.fitted, s.task.space.default()) for _ in range(2))
    return "" if dict(first.metrics) == dict(second.metrics) else "it does not"


def _packed(s: Subject) -> str:
    """A state goes on in another process as in its own."""
    # another instance of the task stands for the other process
    from safetensors.numpy import load, save

    lam = s.task.space.default()
    state = s.task.step(s.start, lam)
    arrays = load(save({k: np.ascontiguousarray(v) for k, v in s.task.pack(state).items()}))
    answers = []
    for k, (where, at) in enumerate(((s.task, state), (s.other, s.other.unpack(arrays)))):
        with global_seed(k):
            after = where.step(at, lam, 0.01)
            answers.append(
                [where.loss(at, lam), where.loss(after, lam), *where.grad(after, lam, 0.01)]
            )
    equal = np.array_equal(answers[0], answers[1], equal_nan=True)
    return "" if equal else f"answers differ: {answers[0]} and {answers[1]}"


_CHECKS: dict[str, Callable[[Subject], str | Note]] = {
    "lam comes back from native units": _native,
    "init is the same in two instances, whatever the global random state": _init,
    "F is a finite number": _finite,
    "grad is finite, (d,)": _shape,
    "a step leaves its state as it was": _value,
    "a tilt changes a step": _tilt,
    "each request takes network evaluations, as its price says": evaluations,
    "several points at once as one after the other": batches,
    "grad against differences of G": grad_of_lower,
    "tilted steps lower G + tilt F": tilted_steps,
    "hypergradient against differences of F": hypergradient,
    "test gives finite metrics": _metrics,
    "test gives the same twice": _twice,
    "a state that was packed goes on to the bit": _packed,
    "test makes a row of a table": lambda s: Note(
        row_of(s.task.test(s.fitted, s.task.space.default()))
    ),
}
