"""Gradients against differences of what they are gradients of, in the unit cube.

A difference has two errors, which fall and rise with its width, so that it is taken at several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmark.check.carried import Note
from benchmark.check.subject import Subject
from benchmark.fitting import advance
from benchmark.space import Float, Lam

# relative error of grad against differences of G, which is exact where G is
_CLOSE = 0.02
# of the largest component: what a smaller one is compared with
_SMALL = 0.05
# of G's size: what single precision cannot see
_ROUNDING = 1e-7
# relative gap of two neighbouring widths that agree
_AGREE = 0.005
# widths in the cube; a network's G is wavy at 0.01
_OF_G = (0.01, 0.003, 0.001, 3e-4, 1e-4)
# wider, since F is taken after a full fit, whose error a narrow difference would magnify
_OF_F = (0.02, 0.01, 0.005)
_COARSE = 0.01
_TILTS = (1e-2, 1e-3, 1e-4)
# slope of F relative to F where lam does not matter
_FLAT = 1e-6


def settled(estimates: Sequence[Lam]) -> tuple[Lam, NDArray[np.intp]]:
    """For each axis the finer of two neighbouring estimates that agree, and its index.

    Of several such pairs the finest; where none agrees, the pair that does so best.
    """
    table = np.array(estimates)
    which = np.array([_settled(column) for column in table.T], dtype=np.intp)
    return np.array([column[k] for column, k in zip(table.T, which, strict=True)]), which


def _settled(column: NDArray[np.float64]) -> int:
    finite = [k for k, value in enumerate(column) if np.isfinite(value)]
    gaps = {b: abs(column[b] - column[a]) / (abs(column[a]) + 1e-300) for a, b in pairwise(finite)}
    agree = [k for k, gap in gaps.items() if gap < _AGREE]
    return max(agree) if agree else min(gaps, key=lambda k: gaps[k], default=(finite or [0])[0])


def slope(value: Callable[[Lam], float], lam: Lam, axis: int, width: float) -> float:
    """Central difference along an axis."""
    ahead, behind = lam.copy(), lam.copy()
    ahead[axis] += width
    behind[axis] -= width
    return (value(ahead) - value(behind)) / (2 * width)


def points(default: Lam) -> list[Lam]:
    """Well inside the cube: the default, the middle and off it."""
    d = len(default)
    even = np.arange(d) % 2 == 0
    found = [np.clip(default, 0.1, 0.9), *(np.full(d, u) for u in (0.5, 0.3, 0.7))]
    return found if d == 1 else [*found, np.where(even, 0.3, 0.7), np.where(even, 0.7, 0.3)]


def real_axes(s: Subject) -> list[int]:
    """There are no differences along whole numbers and choices."""
    return [k for k, axis in enumerate(s.task.space.axes) if isinstance(axis, Float)]


def at(s: Subject, lam: Lam) -> str:
    values = s.task.space.native(lam).items()
    return ", ".join(f"{n} = {v if isinstance(v, str) else format(v, '.4g')}" for n, v in values)


def grad_of_lower(s: Subject) -> str | Note:
    """At a state half way to the default's and another lam, where G still has a slope."""
    if not s.observable:
        return Note("not compared (the task has no `lower`)")
    if not (axes := real_axes(s)):
        return Note("not compared (no axis is a real one)")
    task, default = s.task, s.task.space.default()
    state = advance(task, s.start, default, max(1, task.horizon // 2))
    lam = max(points(default), key=lambda p: float(np.linalg.norm(p - default)))
    gradient = np.asarray(task.grad(state, lam, 0.0))[axes]
    size = abs(float(task.lower(state, lam)))
    value = lambda p: float(task.lower(state, p))  # noqa: E731
    expected, which = settled([np.array([slope(value, lam, k, h) for k in axes]) for h in _OF_G])
    unseen = _ROUNDING * size / np.array(_OF_G)[which]
    allowed = _CLOSE * (np.abs(expected) + _SMALL * np.max(np.abs(expected))) + unseen
    return _compared(s, axes, lam, gradient, expected, allowed, "grad", "G")


def tilted_steps(s: Subject) -> str | Note:
    """Fits of twice the steps from one state, with and without the tilt."""
    # one tilt of three is enough: a small one is lost in rounding, a large one may not converge
    if not s.observable:
        return Note("not compared (the task has no `lower`)")
    if s.tolerance is None:
        return Note(
            "not compared (the task's `tolerance` says that a fit does not end at the minimum)"
        )
    task, lam = s.task, s.task.space.default()
    found = ""
    for tilt in (0.01, 0.1, 1.0):
        ends = [advance(task, s.start, lam, 2 * task.horizon, t) for t in (0.0, tilt)]
        without, with_tilt = (
            float(task.lower(e, lam)) + tilt * float(task.loss(e, lam)) for e in ends
        )
        if with_tilt < without:
            return ""
        ended = f"they end at {with_tilt:.6g}, steps without it at {without:.6g}"
        found = f"with tilt = {tilt:g} {ended}"
    return found


def hypergradient(s: Subject) -> str | Note:
    """The derivative of grad over the tilt of full fits against that of F over lam.

    They are the same if init, step, loss and grad agree.
    """
    if s.tolerance is None:
        return Note("not compared (the task's `tolerance` says that it cannot be)")
    if not (axes := real_axes(s)):
        return Note("not compared (no axis is a real one)")
    task = s.task

    def fitted(lam: Lam) -> float:
        return float(task.loss(advance(task, s.start, lam, task.horizon), lam))

    tried = points(task.space.default())
    coarse = np.array([[slope(fitted, lam, k, _COARSE) for k in axes] for lam in tried])
    steepness = np.where(np.isfinite(coarse), np.abs(coarse), -1.0)
    largest = float(steepness.max())
    if largest < 0:
        return "F is a finite number at none of the points that were tried"
    if largest <= _FLAT * abs(fitted(tried[0])):
        return (
            "F does not change with lam at any of the points that were tried; a task that "
            "means this gives `tolerance` None"
        )
    # for each axis the point where F depends on it most
    chosen = [int(k) for k in np.argmax(steepness, axis=0)]
    for place in dict.fromkeys(chosen):
        lam, here = tried[place], [i for i, p in enumerate(chosen) if p == place]
        mine = [axes[i] for i in here]
        expected, _ = settled([np.array([slope(fitted, lam, k, h) for k in mine]) for h in _OF_F])
        found = settled([_over_tilt(s, lam, tilt) for tilt in _TILTS])[0][mine]
        allowed = s.tolerance * (np.abs(expected) + _SMALL * largest)
        if wrong := _compared(s, mine, lam, found, expected, allowed, "hypergradient", "F"):
            return wrong
    return ""


def _over_tilt(s: Subject, lam: Lam, tilt: float) -> Lam:
    up, down = (
        np.asarray(s.task.grad(advance(s.task, s.start, lam, s.task.horizon, t), lam, t))
        for t in (tilt, -tilt)
    )
    return np.asarray((up - down) / (2 * tilt))


def _compared(
    s: Subject,
    axes: list[int],
    lam: Lam,
    found: Lam,
    expected: Lam,
    allowed: NDArray[np.float64],
    what: str,
    of: str,
) -> str:
    wrong = [
        f"by {s.task.space.axes[k].name} at {at(s, lam)}: {what} {f:.5g}, differences of {of} "
        f"{e:.5g}"
        for k, f, e, a in zip(axes, found, expected, allowed, strict=True)
        # `not ... <=`, so that a NaN is wrong
        if not abs(f - e) <= a
    ]
    return "; ".join(wrong)
