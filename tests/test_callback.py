"""Optimisers that call a function: each is a method, and its thread ends with the search."""

import gc
import threading

import numpy as np
import pytest
from scipy.optimize import differential_evolution, dual_annealing, minimize

from benchmark import by_callback, fit
from benchmark.budget import Budget, OutOfBudget
from benchmark.check import check_method
from benchmark.registry import METHODS, Entry
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.metered import Metered
from tasks.quadratic import Quadratic
from tests.methods.test_methods import Spy
from tests.test_budget import FakeClock

POINTS = [np.array(p) for p in ([0.2, 0.3], [0.9, 0.9], [0.5, 0.5])]


def quadratic():
    return Quadratic().open(0, "", "", "cpu")


def threads():
    return [t for t in threading.enumerate() if t.name == "optimiser"]


@pytest.fixture(autouse=True)
def _none_is_left():
    before = threads()
    yield
    gc.collect()
    assert threads() == before


def nelder_mead(problem, rng):
    bounds = [(0, 1)] * problem.space.dim

    def optimise(f):
        while True:
            minimize(f, rng.random(problem.space.dim), method="Nelder-Mead", bounds=bounds)

    return by_callback(problem, optimise)


def evolution(problem, rng):
    bounds = [(0, 1)] * problem.space.dim
    return by_callback(
        problem, lambda f: differential_evolution(f, bounds, popsize=4, seed=rng, polish=False)
    )


def annealing(problem, rng):
    bounds = [(0, 1)] * problem.space.dim
    return by_callback(problem, lambda f: dual_annealing(f, bounds, seed=rng, no_local_search=True))


@pytest.mark.parametrize("method", [nelder_mead, evolution, annealing])
def test_scipys_optimisers_conform(method, monkeypatch):
    """Same seed, same records; resumed to the same end; F = inf and nan; within the budget."""
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "bad", Entry("bad", "test", lambda: method))
    assert [r for r in check_method("bad") if r[1]] == []


def test_every_point_is_evaluated_in_order_and_its_f_comes_back():
    task, got = Spy(quadratic()), []
    found = list(by_callback(task, lambda f: got.extend(f(p) for p in POINTS)))
    assert list(dict.fromkeys(task.lams)) == [tuple(p) for p in POINTS]
    assert found[0].loss == got[0]
    losses = [p.loss for p in found]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == min(got)
    assert got == [fit(quadratic(), p, seed=0).loss for p in POINTS]


def test_a_point_outside_counts_as_the_nearest_inside():
    task = Spy(quadratic())
    (found,) = by_callback(task, lambda f: f(np.array([-1.0, 2.0])))
    assert list(found.lam) == [0.0, 1.0]


def test_an_array_that_the_optimiser_works_in_is_copied():
    def optimise(f):
        lam = np.array([0.2, 0.3])
        for _ in range(2):
            f(lam)
            lam += 0.1

    found = list(by_callback(quadratic(), optimise))
    assert list(found[0].lam) == [0.2, 0.3]


def endless(f):
    while True:
        f(np.array([0.5, 0.5]))


def test_the_thread_ends_with_the_budget():
    metered = Metered(quadratic(), Budget(100, "nfe"), Ledger(), prices=Quadratic().prices(""))
    unwound = []

    def optimise(f):
        try:
            endless(f)
        finally:
            unwound.append(threading.current_thread().name)

    method = by_callback(facade(metered), optimise)
    next(method)
    (alive,) = threads()
    with pytest.raises(OutOfBudget):
        next(method)
    assert not alive.is_alive()
    assert unwound == ["optimiser"]
    assert metered.meter.nfe == 100


@pytest.mark.parametrize("end", [lambda method: method.close(), lambda method: None])
def test_the_thread_ends_with_the_generator(end):
    """Closed, or let go of."""
    method = by_callback(quadratic(), endless)
    next(method)
    (alive,) = threads()
    end(method)
    del method
    gc.collect()
    assert not alive.is_alive()


def test_an_error_of_the_optimiser_is_the_methods():
    def optimise(f):
        f(POINTS[0])
        raise KeyError("out of simplices")

    method = by_callback(quadratic(), optimise)
    next(method)
    with pytest.raises(KeyError, match="out of simplices") as caught:
        next(method)
    assert caught.traceback[-1].name == "optimise"


def test_an_error_of_an_oracle_is_not_the_optimisers():
    task, seen = quadratic(), []
    task.loss = lambda state, lam: 1 / 0

    def optimise(f):
        try:
            f(POINTS[0])
        except Exception as error:
            seen.append(error)

    with pytest.raises(ZeroDivisionError):
        list(by_callback(task, optimise))
    assert seen == []


def test_an_optimiser_that_catches_everything_is_told_again():
    caught = []

    def optimise(f):
        for _ in range(50):
            try:
                f(POINTS[0])
            except BaseException as error:
                caught.append(type(error).__name__)

    method = by_callback(quadratic(), optimise)
    next(method)
    method.close()
    assert set(caught) == {"Ended"}


def test_one_that_asks_from_other_threads_is_refused():
    """Their order would be another each time."""

    def optimise(f):
        errors = []

        def work():
            try:
                f(POINTS[0])
            except RuntimeError as error:
                errors.append(error)

        worker = threading.Thread(target=work, name="worker 3")
        worker.start()
        worker.join()
        raise errors[0]

    with pytest.raises(
        RuntimeError, match=r"own thread, got one from worker 3; .* without workers"
    ):
        list(by_callback(quadratic(), optimise))


def test_what_the_optimiser_computes_is_the_methods_time():
    clock = FakeClock()
    ledger = Ledger(clock, opened="method")
    metered = Metered(quadratic(), Budget(60, "s"), ledger)

    def optimise(f):
        for point in POINTS:
            clock.now += 4
            f(point)

    list(by_callback(facade(metered), optimise))
    assert ledger.accounts()["method"] == pytest.approx(12)


def test_the_callers_context_is_the_optimisers():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(by_callback(quadratic(), lambda f: np.ones(1) / 0))
