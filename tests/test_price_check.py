"""Budgets in evaluations where the price of a request is known, and where it is not."""

import numpy as np
import pytest

from benchmark import Proposal
from benchmark.budget import OutOfBudget
from tests.made import told
from tests.test_runner import go
from tests.toys import STATED, toys  # noqa: F401

pytestmark = pytest.mark.usefixtures("toys")


def walks(problem, rng):
    lam, state = np.full(2, 0.5), problem.init(0)
    while True:
        yield Proposal(lam, state)
        state = problem.step(state, lam)


def tilts(problem, rng):
    lam, state = np.full(2, 0.5), problem.init(0)
    for _ in range(4):
        state = problem.step(state, lam, 0.5)
        yield Proposal(lam, state)


@pytest.mark.parametrize(
    ("task", "budget", "nfe", "overrun"),
    [
        ("priced", "30nfe", 29, 0),
        ("priced", "29nfe", 29, 0),
        ("priced", "28nfe", 22, 0),
        ("dear", "30nfe", 36, 6),
        ("dear", "29nfe", 29, 0),
    ],
)
def test_what_would_pass_the_budget_is_refused_where_its_price_is_known(
    task, budget, nfe, overrun, tmp_path, monkeypatch
):
    status, found = go(tmp_path, walks, monkeypatch, task=task, budget=budget, marks=[])
    assert status == "budget_exhausted"
    assert (found.run["nfe"], found.run["overrun_nfe"]) == (nfe, overrun)
    assert found.tests[-1]["nfe"] == nfe - 7 * (overrun > 0), (
        "what comes past the budget does not count"
    )
    assert found.run["counted"] == ("an evaluation is a toy's" if task == "priced" else "")


def test_a_refused_request_has_the_numbers_of_the_budget(tmp_path, monkeypatch):
    seen = []

    def method(problem, rng):
        try:
            yield from walks(problem, rng)
        except OutOfBudget as error:
            seen.append((error.unit, error.spent, error.limit, str(error)))
            raise

    go(tmp_path, method, monkeypatch, task="priced", budget="28nfe", marks=[])
    assert seen == [("nfe", 22, 28, "spent 22 of 28nfe, and step costs 7")]


def test_a_tilted_step_has_its_own_price(tmp_path, monkeypatch):
    _, found = go(tmp_path, tilts, monkeypatch, task="priced", budget="24nfe", marks=[])
    assert found.run["nfe"] == 17, "a third step would have cost 8 of the 7 that are left"


def test_a_budget_of_seconds_refuses_nothing(tmp_path, monkeypatch):
    status, found = go(tmp_path, tilts, monkeypatch, task="priced", budget="1h", marks=[])
    assert status == "ok"
    assert (found.run["nfe"], found.run["overrun_nfe"]) == (33, 0)


def test_more_than_its_stated_price_is_said_once(tmp_path, monkeypatch):
    _, found = go(tmp_path, tilts, monkeypatch, task="cheaper", budget="1h", marks=[])
    assert told(found.run) == [
        "a request for step took 8 network evaluations, more than its stated price of 7"
    ]
    _, found = go(tmp_path / "b", tilts, monkeypatch, task="priced", budget="1h", marks=[])
    assert told(found.run) == []


def test_prices_add_up_to_a_fit():
    assert STATED.fit == 1 + 20 * 7 + 1
    assert (
        STATED.of("step"),
        STATED.of("step", 0.1),
        STATED.of("grad", -0.1),
        STATED.of("loss", 0.1),
    ) == (7, 8, 3, 1)
