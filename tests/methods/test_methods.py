"""What each method does beyond conformance."""

import warnings

import numpy as np
import pytest
from skopt import Optimizer

from benchmark import UsageError
from benchmark.check import Watched
from methods.bayesian import Bayesian
from methods.bilevel import Bilevel
from methods.default import Default
from methods.grid_search import GridSearch
from methods.random_search import RandomSearch
from tasks.quadratic import Quadratic
from tasks.tilted import Tilted


def toy(kind=Quadratic):
    return kind().open(0, "", "", "cpu")


class Spy:
    """A toy that notes the points at which it was initialised and stepped."""

    def __init__(self, task):
        self.task, self.space, self.horizon = task, task.space, task.horizon
        self.lams, self.inits = [], 0

    def init(self, seed):
        self.inits += 1
        return self.task.init(seed)

    def step(self, state, lam, tilt=0.0):
        self.lams.append(tuple(lam))
        return self.task.step(state, lam, tilt)

    def loss(self, state, lam):
        return self.task.loss(state, lam)

    def grad(self, state, lam, tilt=0.0):
        return self.task.grad(state, lam, tilt)


def test_grid_visits_each_point_once_in_a_seeded_order():
    orders = []
    for seed in (0, 0, 1):
        spy = Spy(toy(Tilted))
        list(GridSearch()(spy, np.random.default_rng(seed)))
        orders.append([round(spy.space.native(np.array(lam))["lam"], 6) for lam in spy.lams])
    assert sorted(orders[0]) == [0.05, 0.2, 0.5, 2.0, 5.0]
    assert orders[0] == orders[1] != orders[2]


def test_grid_falls_back_to_even_points():
    spy = Spy(toy())
    list(GridSearch(per_axis=3)(spy, np.random.default_rng(0)))
    assert len(set(spy.lams)) == 9


@pytest.mark.parametrize("method", [RandomSearch(trials=7), Bayesian(trials=7, initial=4)])
def test_searches_spend_their_trials_and_only_improve(method):
    spy = Spy(toy(Tilted))
    found = list(method(spy, np.random.default_rng(0)))
    losses = [p.loss for p in found]
    assert len(set(spy.lams)) == spy.inits == 7
    assert losses == sorted(losses, reverse=True)


def test_bayesian_homes_in():
    task = toy(Tilted)
    last = list(Bayesian()(task, np.random.default_rng(0)))[-1]
    assert task.space.native(last.lam)["lam"] == pytest.approx(1.0, abs=0.1)


class Talker(Optimizer):
    """Warns as the library does where it asks for a point again or does not converge."""

    def ask(self, *args, **kwargs):
        warnings.warn("The objective has been evaluated at point [0.0] before", stacklevel=1)
        return super().ask(*args, **kwargs)

    def tell(self, *args, **kwargs):
        warnings.warn("it did not converge", stacklevel=1)
        return super().tell(*args, **kwargs)


def test_what_scikit_optimize_warns_of_is_not_shown(monkeypatch):
    monkeypatch.setattr("skopt.Optimizer", Talker)
    task = Watched("quadratic", 0, lambda k, loss: np.inf if k == 1 else loss)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(Bayesian(trials=7)(task, np.random.default_rng(0)))
    assert len(task.asked) == 7 * task.horizon
    assert caught == []


def test_default_trains_on_until_a_training_diverges():
    task = Watched("quadratic", 0, lambda k, loss: np.inf if k == 3 else loss)
    found = list(Default(fits=10)(task, np.random.default_rng(0)))
    assert [p.loss == np.inf for p in found] == [False, False, True]
    assert len(task.asked) == 3 * task.horizon


def test_default_is_the_default_point():
    task = toy()
    (only,) = Default()(task, np.random.default_rng(0))
    assert task.space.native(only.lam) == pytest.approx({"a": 0.5, "b": 2.0})


@pytest.mark.parametrize(
    "kw", [{}, {"gamma": np.inf}, {"gamma": 10.0}, {"steps_y": 10, "steps_z": 10}]
)
def test_bilevel_finds_the_optimum_of_the_quadratic(kw):
    task = toy()
    last = list(Bilevel(**kw)(task, np.random.default_rng(0)))[-1]
    assert task.space.native(last.lam) == pytest.approx({"a": 1.0, "b": 3.0}, rel=0.1)


def test_bilevel_moves_from_both_ends():
    for start in (0.1, 4.0):
        task = Tilted().open(0, "", "", "cpu")
        lam = task.space.point({"lam": start})
        _, hyper = Bilevel().hypergradient(task, task.init(0), lam)
        assert np.sign(hyper[0]) == np.sign(start - 1)


def test_z_moves_in_its_step_and_y_does_not():
    task = toy()
    y = task.init(0)
    before = y.copy()
    z = task.step(y, task.space.default(), 0.1)
    assert np.array_equal(y, before)
    assert not np.array_equal(z, y)


def test_bilevel_refuses_more_steps_of_z_than_of_y():
    with pytest.raises(UsageError, match="steps_z"):
        Bilevel(steps_y=2, steps_z=3)


def test_bilevel_keeps_lam_where_the_hypergradient_is_not_a_number():
    task = toy()
    task.grad = lambda state, lam, tilt=0.0: np.full(2, np.nan)
    found = list(Bilevel(iterations=3)(task, np.random.default_rng(0)))
    assert np.array_equal(found[0].lam, found[-1].lam)
