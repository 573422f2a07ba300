"""What a method may know of its budget: the whole, the share that is left, and prices."""

import dataclasses

import numpy as np
import pytest

from benchmark.budget import Budget, OutOfBudget
from benchmark.check.searched import Sink
from benchmark.protocol import Prices
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.guard import Guard, Guarded
from benchmark.search.metered import Metered
from benchmark.store.journal import Journal, Line, ReplayError
from tasks.quadratic import Quadratic
from tests.test_budget import FakeClock


def metered(budget, clock, journal=None, opened="method", **more):
    task = Quadratic().open(0, "", "", "cpu")
    return Metered(task, budget, Ledger(clock, opened=opened), journal=journal, **more)


def test_in_evaluations_it_is_what_the_oracles_took():
    problem = facade(metered(Budget(40, "nfe"), FakeClock()))
    assert problem.budget == Budget(40, "nfe")
    assert problem.remaining() == 1
    state = problem.init(0)
    for _ in range(9):
        state = problem.step(state, np.full(2, 0.5))
    assert problem.remaining() == 0.75


def test_in_seconds_it_is_the_ledgers():
    clock = FakeClock()
    problem = facade(metered(Budget(10, "s"), clock))
    assert problem.remaining() == 1
    clock.now += 4
    assert problem.remaining() == pytest.approx(0.6)
    clock.now += 7
    with pytest.raises(OutOfBudget) as caught:
        problem.remaining()
    assert (caught.value.unit, caught.value.limit) == ("s", 10)


def test_a_replay_has_the_answers_of_the_first_time():
    """Whatever its own clock says; then it goes on with what was left."""
    sink, clock = Sink(), FakeClock()
    first = metered(Budget(10, "s"), clock, Journal(sink=sink))
    seen = []
    for _ in range(3):
        clock.now += 2
        seen.append(first.remaining())
    assert seen == pytest.approx([0.8, 0.6, 0.4])
    later = FakeClock()
    lines = [Line.read(text.encode()) for text in sink]
    second = metered(Budget(10, "s"), later, Journal(lines), opened="paused")
    again = []
    for _ in range(3):
        later.now += 100
        again.append(second.remaining())
    assert again == seen
    later.now += 1
    assert second.remaining() == pytest.approx(0.3)


def test_a_replay_that_asks_something_else_is_refused():
    sink = Sink()
    metered(Budget(10, "nfe"), FakeClock(), Journal(sink=sink)).remaining()
    lines = [Line.read(text.encode()) for text in sink]
    with pytest.raises(ReplayError, match=r"was remaining\(\) the first time and is init\(0\) now"):
        metered(Budget(10, "nfe"), FakeClock(), Journal(lines)).init(0)


def test_who_only_asks_for_it_is_ended_by_the_guard():
    problem = facade(metered(Budget(10, "nfe"), FakeClock(), guard=Guard(requests=50)))
    assert [problem.remaining() for _ in range(50)] == [1] * 50
    with pytest.raises(Guarded, match="50 requests in a row without a network evaluation"):
        problem.remaining()


def test_prices_are_the_tasks_and_cannot_be_set():
    prices = Quadratic().prices("")
    problem = facade(metered(Budget(10, "nfe"), FakeClock(), prices=prices))
    assert isinstance(problem.prices, Prices)
    assert problem.prices == prices
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.prices.loss = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.budget.amount = 10**9
