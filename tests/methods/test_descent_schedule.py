"""The step size of methods that follow a gradient: by the steps on lam, or by the budget."""

import itertools
from contextlib import suppress

import numpy as np
import pytest

from benchmark.budget import Budget, OutOfBudget
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import UsageError
from benchmark.options import values
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.metered import Metered
from benchmark.spec import make_method
from methods.bilevel import Bilevel
from methods.hypergradients.descent import by_budget, by_iterations, descend
from tasks.quadratic import Quadratic, QuadraticTask
from tests.test_resume import both_ways

DESCENT = ("bilevel", "t1t2", "neumann", "cg", "unrolled", "f2sa", "es")


class Left:
    """A problem of which so much is left, each time that it is asked."""

    def __init__(self, *shares):
        self.shares = itertools.chain(shares, itertools.repeat(shares[-1]))

    def remaining(self):
        return next(self.shares)


def search(name, amount):
    """The lam of every proposal within the budget, and the evaluations that were spent."""
    task, found = Quadratic().open(0, "", "", "cpu"), []
    metered = Metered(task, Budget(amount, "nfe"), Ledger(), prices=Quadratic().prices(""))
    method = make_method(name, {"schedule": "budget"})
    with suppress(OutOfBudget):
        for proposal in method(facade(metered), np.random.default_rng(0)):
            found.append(proposal.lam)
    return found, metered.meter.nfe


def test_the_angle_follows_what_is_spent_of_what_was_left():
    found = list(by_budget(Left(0.8, 0.8, 0.6, 0.4, 0.2, 0.0), 60))
    assert found == pytest.approx([0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4])


def test_free_steps_follow_the_iterations():
    """Else the step size would never fall, and the search never end."""
    assert list(by_budget(Left(0.7), 5)) == pytest.approx(list(by_iterations(5)))


def test_nothing_is_left():
    assert list(by_budget(Left(0.0), 5)) == []


@pytest.mark.parametrize("name", DESCENT)
def test_the_search_lasts_as_long_as_the_budget(name):
    for amount, more in ((300, False), (3000, True)):
        lams, spent = search(name, amount)
        assert (len(lams) - 1 > 60) == more, "iterations are not the limit"
        assert amount - spent < (amount - 21) / (len(lams) - 1) + 1, "less than a step is left"
        # Adam's direction is at most a few in size, whatever the gradient's
        moved = np.abs(np.diff(lams, axis=0)).max(axis=1)
        assert moved[0] == pytest.approx(0.08, rel=1e-3)
        assert moved[-1] < 0.02


def test_iterations_are_the_default_and_no_part_of_a_runs_name():
    assert "schedule" not in values(Bilevel())
    assert values(Bilevel(schedule="budget"))["schedule"] == "budget"
    found = list(
        Bilevel(iterations=7)(Quadratic().open(0, "", "", "cpu"), np.random.default_rng(0))
    )
    assert len(found) == 1 + 7


def test_a_search_that_was_cut_short_has_the_same_step_sizes(tmp_path, monkeypatch):
    (spec,) = plan("bilevel", "quadratic", budget="400nfe", settings=["bilevel.schedule=budget"])
    found = both_ways(spec, tmp_path, monkeypatch, 0.6)
    assert found.run["status"] == "budget_exhausted"


class Edge(Quadratic):
    """The quadratic with a cliff beyond a wall that a gradient does not see."""

    class Task(QuadraticTask):
        def loss(self, state, lam):
            return super().loss(state, lam) + 100 * (self.space.numbers(lam)["a"] > 0.7)

    def open(self, seed, prompt, lower, device):
        return self.Task(seed, self.horizon, self.rate)


def searched(kind, **options):
    task = kind().open(0, "", "", "cpu")
    method = Bilevel(gamma=np.inf, steps_y=20, **options)
    return task, list(method(task, np.random.default_rng(0)))


def test_a_step_that_raised_F_is_taken_back():
    task, plain = searched(Edge)
    assert task.loss(plain[-1].state, plain[-1].lam) > 100
    task, held = searched(Edge, control="loss")
    losses = [p.loss for p in held]
    # the first is the default twice, since its estimate is there too
    assert all(b < a for a, b in itertools.pairwise(losses[1:]))
    assert losses[-1] == pytest.approx(task.loss(held[-1].state, held[-1].lam))
    assert task.space.numbers(held[-1].lam)["a"] == pytest.approx(0.7, abs=0.01)
    assert losses[-1] < losses[0] / 2


def test_where_every_step_helps_control_costs_an_F_and_changes_little():
    task, plain = searched(Quadratic)
    _, held = searched(Quadratic, control="loss")
    at = [task.space.numbers(p[-1].lam) for p in (plain, held)]
    assert at[1] == pytest.approx({"a": 1.0, "b": 3.0}, rel=0.02)
    assert held[-1].loss <= task.loss(plain[-1].state, plain[-1].lam) + 1e-3


def test_a_step_too_far_is_told_from_a_y_that_moves():
    """F rises by itself with every lower step, so that all would seem too far."""

    class Rising(Quadratic):
        class Task(QuadraticTask):
            steps = 0

            def step(self, state, lam, tilt=0.0):
                return np.append(super().step(state[:2], lam, tilt), state[2] + 1)

            def init(self, seed):
                return np.append(super().init(seed), 0.0)

            def grad(self, state, lam, tilt=0.0):
                return super().grad(state[:2], lam, tilt)

            def loss(self, state, lam):
                return super().loss(state[:2], lam) + 1e-3 * state[2]

        def open(self, seed, prompt, lower, device):
            return self.Task(seed, self.horizon, self.rate)

    task, held = searched(Rising, control="loss")
    at = task.space.numbers(held[-1].lam)
    assert at == pytest.approx({"a": 1.0, "b": 3.0}, rel=0.1)


def test_f2sa_keeps_a_z_that_cannot_be_taken_back():
    with pytest.raises(UsageError, match=r"option f2sa.control: expected none, got 'loss'"):
        make_method("f2sa", {"control": "loss"})


def test_estimates_that_are_no_numbers_do_not_count_for_the_step_size():
    """Else Adam's first step is a part of lr, the smaller the more were lost before it."""
    estimates = iter([[np.nan] * 2, [np.inf, 1.0], [1.0, -1.0]])
    task = Quadratic().open(0, "", "", "cpu")
    metered = Metered(task, Budget(9000, "nfe"), Ledger(), prices=Quadratic().prices(""))
    begin = metered.space.default()
    angles = lambda: iter([0.0, 0.0, 0.0])  # noqa: E731
    walk = descend(facade(metered), lambda y, lam: (y, np.array(next(estimates))), 0.08, angles)
    found = [proposal.lam for proposal in walk]
    assert found[0] == pytest.approx(begin)
    assert found[1] - begin == pytest.approx([-0.08, 0.08])
