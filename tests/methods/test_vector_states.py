"""A prototype, and no part of the waist: what conjugate gradients gain where states can be mixed
and multiplied. `mix` and `dot` are the smallest extension that has the textbook recurrence.
"""

import numpy as np
import pytest

from methods.hypergradients.cg import ConjugateGradients
from methods.hypergradients.over_tilt import STEP, direct
from speed.bowl import Bowl

LAM = np.array([0.3, 0.6, 0.45])
WIDE = tuple(np.geomspace(1, 1e-2, 12))


class VectorBowl(Bowl):
    def mix(self, states, weights):
        """sum_i weights_i states_i; a state again where the weights sum to 1."""
        return sum(w * s for w, s in zip(weights, states, strict=True))

    def dot(self, first, second, origin):
        """<first - origin, second - origin>."""
        return float((first - origin) @ (second - origin))


def recurrence(task, y, lam, order):
    """The hypergradient at y by conjugate gradients on states y + v, v a vector of the lower
    problem: two steps a product with H, no moments.
    """

    def beside(state, scale):
        return task.mix([y, state], [1 - scale, scale])

    def product(state):  # y + H v, from the slope of a step along v
        up, down = (task.step(beside(state, s), lam) for s in (STEP, -STEP))
        return task.mix([state, up, down], [1, -1 / (2 * STEP), 1 / (2 * STEP)])

    up, down = (task.step(y, lam, tilt) for tilt in (STEP, -STEP))
    r = p = task.mix([y, up, down], [1, -1 / (2 * STEP), 1 / (2 * STEP)])
    x = y
    for _ in range(order):
        curved, size = product(p), task.dot(r, r, y)
        a = size / task.dot(p, curved, y)
        x = task.mix([x, p, y], [1, a, -a])
        r = task.mix([r, curved, y], [1, -a, a])
        b = task.dot(r, r, y) / size
        p = task.mix([r, p, y], [1, b, -b])
    slope = (task.grad(beside(x, STEP), lam) - task.grad(beside(x, -STEP), lam)) / (2 * STEP)
    return direct(task, y, lam) - slope


def errors(order):
    """Relative errors by moments and by the recurrence, medians of five bowls."""
    found = []
    for seed in range(5):
        task = VectorBowl(seed, 48, WIDE)
        y, truth = task.solution(LAM), task.series(LAM, 4000)
        moments = ConjugateGradients(order=order).hypergradient(task, y, LAM)[1]
        both = moments, recurrence(task, y, LAM, order)
        found.append([np.linalg.norm(h - truth) / np.linalg.norm(truth) for h in both])
    return np.median(found, axis=0)


@pytest.mark.parametrize("order", [1, 2])
def test_a_short_recurrence_is_what_moments_give(order):
    task = VectorBowl(0, 48, WIDE)
    y = task.solution(LAM)
    moments = ConjugateGradients(order=order).hypergradient(task, y, LAM)[1]
    assert recurrence(task, y, LAM, order) == pytest.approx(moments, rel=1e-4)


def test_only_the_recurrence_goes_on_to_the_solution():
    by_moments, by_recurrence = errors(12)
    assert by_recurrence < 1e-3
    assert by_moments > 10 * by_recurrence
