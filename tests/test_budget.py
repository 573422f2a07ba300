"""The ledger adds up, and the meter stops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.budget import ACCOUNTS, Budget, OutOfBudget
from benchmark.errors import UsageError
from benchmark.protocol import Proposal
from benchmark.search.clock import Ledger
from benchmark.search.guard import Guard, Guarded
from benchmark.search.loop import search
from benchmark.search.metered import Metered
from tasks.quadratic import Quadratic


class FakeClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@given(
    st.recursive(
        st.floats(0, 1e3),
        lambda inner: st.tuples(st.sampled_from(ACCOUNTS), st.lists(inner, max_size=4)),
    )
)
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
    assert ledger.accounts() | {"setup": 0} == dict.fromkeys(ACCOUNTS, 0.0) | {
        "method": 5.0,
        "objective": 2.0,
    }
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


@pytest.mark.parametrize(
    "text", ["", "60", "0s", "-5s", "5 days", "nfe", "1e400s", "5mm", "inf s", "99999999999999h"]
)
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
        assert metered.meter.spent() == 12.0
        with pytest.raises(OutOfBudget, match="spent 12 of 10s after 4 oracle calls"):
            metered.step(state, lam)
    assert metered.meter.gate.calls == 4


def test_evaluations_are_counted_where_they_happen():
    metered = Metered(Quadratic().open(0, "", "", "cpu"), Budget(5, "nfe"), Ledger(FakeClock()))
    state = metered.init(0)
    for _ in range(4):
        state = metered.step(state, metered.space.default())
    with pytest.raises(OutOfBudget, match="spent 5 of 5nfe"):
        metered.loss(state, metered.space.default())


def walks_until_stopped(budget, task, ledger):
    """What a method sees of the end."""
    seen = []

    def method(problem, rng):
        lam, state = problem.space.default(), problem.init(0)
        try:
            while True:
                state = problem.step(state, lam)
        except OutOfBudget as error:
            seen.append(error)
            raise
        yield

    metered = Metered(task, budget, ledger)
    with pytest.raises(OutOfBudget):
        next(search(method, metered, np.random.default_rng(0), ledger))
    return seen[0]


def test_a_method_sees_what_was_spent_of_seconds():
    clock = FakeClock()
    error = walks_until_stopped(Budget(10, "s"), slow_toy(clock, 4.0), Ledger(clock))
    assert (error.unit, error.spent, error.limit) == ("s", 12.0, 10)
    assert str(error) == "spent 12 of 10s after 4 oracle calls"


def test_a_method_sees_what_was_spent_of_evaluations():
    task = Quadratic().open(0, "", "", "cpu")
    error = walks_until_stopped(Budget(1_234_567, "nfe"), counts(task), Ledger(FakeClock()))
    assert (error.unit, error.spent, error.limit) == ("nfe", 1_500_000, 1_234_567)
    assert str(error) == "spent 1500000 of 1234567nfe after 3 oracle calls"


def counts(task):
    """Half a million evaluations a request."""

    def dear(whole):
        def call(*args):
            task.nfe += 499_999
            return whole(*args)

        return call

    task.init, task.step = dear(task.init), dear(task.step)
    return task


def test_a_proposal_that_comes_too_late_has_the_same_numbers():
    clock = FakeClock()
    ledger = Ledger(clock)
    metered = Metered(slow_toy(clock, 4.0), Budget(3, "s"), ledger)
    with ledger.account("method"):
        state = metered.step(metered.init(0), metered.space.default())
        with pytest.raises(OutOfBudget, match="spent 4 of 3s when a proposal came") as caught:
            metered.propose(Proposal(metered.space.default(), state))
    assert (caught.value.unit, caught.value.spent, caught.value.limit) == ("s", 4.0, 3)


def test_a_guard_gives_its_reason_and_the_numbers_of_the_budget():
    task = Quadratic().open(0, "", "", "cpu")
    metered = Metered(task, Budget(50, "nfe"), Ledger(FakeClock()), guard=Guard(states=2))
    state = metered.init(0)
    kept = metered.step(state, metered.space.default())
    with pytest.raises(Guarded, match="^guard: 2 states in use$") as caught:
        metered.step(kept, metered.space.default())
    assert (caught.value.unit, caught.value.spent, caught.value.limit) == ("nfe", 2, 50)


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
