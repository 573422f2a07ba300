"""The ledger adds up, and the meter stops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import ACCOUNTS, Ledger
from benchmark.errors import UsageError
from benchmark.metered import Metered
from benchmark.protocol import Proposal
from benchmark.runner import search
from tasks.quadratic import Quadratic


class FakeClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@given(st.recursive(st.floats(0, 1e3), lambda inner: st.tuples(st.sampled_from(ACCOUNTS), st.lists(inner, max_size=4))))
def test_accounts_sum_to_the_wall_time(plan):
    clock = FakeClock()
    ledger = Ledger(clock)

    def play(step):
        if isinstance(step, float):
            clock.now += step
            return
        with ledger.account(step[0]):
            clock.now += 0.25
            for inner in step[1]:
                play(inner)

    play(plan)
    assert math.fsum(ledger.accounts().values()) == pytest.approx(clock.now - 100.0, rel=1e-12)


def test_nested_time_belongs_to_the_inner_account():
    clock = FakeClock()
    ledger = Ledger(clock)
    with ledger.account("method"):
        clock.now += 1
        with ledger.account("objective"):
            clock.now += 2
        clock.now += 4
    assert ledger.accounts() | {"setup": 0} == dict.fromkeys(ACCOUNTS, 0.0) | {"method": 5.0, "objective": 2.0}
    assert ledger.spent() == 7.0
    with pytest.raises(ValueError, match="account"), ledger.account("nonsense"):
        pass


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("90s", 90, "s"),
        ("5m", 300, "s"),
        ("2h", 7200, "s"),
        ("20000nfe", 20000, "nfe"),
        ("0.5s", 0.5, "s"),
        ("300h", 1080000, "s"),
        ("0.00003s", 0.00003, "s"),
    ],
)
def test_budgets_are_read(text, amount, unit):
    assert Budget.parse(text) == Budget(amount, unit)
    assert Budget.parse(str(Budget.parse(text))) == Budget.parse(text)


def test_shares_of_evaluations_are_whole():
    assert str(Budget.parse("1nfe").share(0.25)) == "1nfe"
    assert str(Budget.parse("10nfe").share(0.25)) == "2nfe"
    assert str(Budget.parse("60s").share(0.25)) == "15s"


@pytest.mark.parametrize("text", ["", "60", "0s", "-5s", "5 days", "nfe", "1e400s", "5mm", "inf s", "99999999999999h"])
def test_malformed_budgets_are_refused(text):
    with pytest.raises(UsageError, match="such as 90s"):
        Budget.parse(text)


def slow_toy(clock, seconds):
    task = Quadratic().open(0, "", "", "cpu")
    step = task.step

    def slower(*args):
        clock.now += seconds
        return step(*args)

    task.step = slower
    return task


def test_out_of_budget_comes_at_the_first_call_past_it_with_numbers():
    clock = FakeClock()
    ledger, budget = Ledger(clock), Budget(10, "s")
    metered = Metered(slow_toy(clock, 4.0), budget, ledger)
    lam = metered.space.default()
    with ledger.account("method"):
        state = metered.init(0)
        for _ in range(3):
            state = metered.step(state, lam)
        assert metered.spent() == 12.0
        with pytest.raises(OutOfBudget, match="spent 12 of 10s after 4 oracle calls"):
            metered.step(state, lam)
    assert metered.calls == 4


def test_evaluations_are_counted_where_they_happen():
    metered = Metered(Quadratic().open(0, "", "", "cpu"), Budget(5, "nfe"), Ledger(FakeClock()))
    state = metered.init(0)
    for _ in range(4):
        state = metered.step(state, metered.space.default())
    with pytest.raises(OutOfBudget, match="spent 5 of 5nfe"):
        metered.loss(state, metered.space.default())


def test_nan_becomes_inf():
    task = Quadratic().open(0, "", "", "cpu")
    task.loss = lambda state, lam: float("nan")
    metered = Metered(task, Budget(5, "nfe"), Ledger(FakeClock()))
    assert metered.loss(metered.init(0), metered.space.default()) == math.inf


def test_the_clock_stands_still_while_a_method_is_suspended_and_late_proposals_are_dropped():
    clock = FakeClock()
    ledger, budget = Ledger(clock), Budget(10, "s")
    metered = Metered(slow_toy(clock, 4.0), budget, ledger)

    def method(problem, rng):
        lam, state = problem.space.default(), problem.init(0)
        for _ in range(9):
            state = problem.step(state, lam)
            yield Proposal(lam, state)

    stamps = []
    with pytest.raises(OutOfBudget):  # noqa: PT012
        for incumbent in search(method, metered, np.random.default_rng(0), ledger):
            stamps.append(incumbent.seconds)
            with ledger.account("report"):
                clock.now += 1000
    assert stamps == [4.0, 8.0]
    assert ledger.accounts()["report"] == 2000.0


def test_a_method_that_never_asks_anything_is_stopped():
    def babbles(problem, rng):
        state = problem.init(0)
        while True:
            yield Proposal(problem.space.default(), state)

    ledger, budget = Ledger(FakeClock()), Budget(10, "nfe")
    metered = Metered(Quadratic().open(0, "", "", "cpu"), budget, ledger)
    with pytest.raises(ValueError, match="must end or call an oracle"):
        list(search(babbles, metered, np.random.default_rng(0), ledger))
