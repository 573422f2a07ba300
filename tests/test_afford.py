"""What is said before the start of a budget that a full fit does not fit into."""

from dataclasses import replace

import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.runs.afford import warnings
from benchmark.runs.forecast import Probe, forecast
from benchmark.store.store import Store
from tests.toys import STATED, toys  # noqa: F401

pytestmark = pytest.mark.usefixtures("toys")

FIT = (
    "one full fit of priced (142 = 1 to start + 20 steps of 7 + 1 for F); a method that needs "
    "one will have no answer"
)


@pytest.mark.parametrize(("budget", "warned"), [("141nfe", True), ("142nfe", False), ("1s", False)])
def test_a_budget_below_one_fit_is_said_once(budget, warned):
    specs = plan("random,grid", "priced", budget=budget, seeds="0-2")
    assert list(warnings(specs)) == ([f"warning: budget {budget} is below {FIT}"] if warned else [])


def test_a_budget_below_one_start_leaves_nobody_an_answer(monkeypatch):
    monkeypatch.setattr("tests.toys.STATED", replace(STATED, init=500))
    (line,) = warnings(plan("random", "priced", budget="400nfe"))
    assert "is below one start of priced (641 = 500 to start" in line
    assert line.endswith("every method will have no answer")


def test_each_task_and_budget_has_its_own_line():
    specs = [s for b in ("50nfe", "60nfe") for s in plan("random", "priced", budget=b)]
    specs += plan("random", "dear", budget="50nfe")  # it states no prices
    assert [line.split(" is ")[0] for line in warnings(specs)] == [
        "warning: budget 50nfe",
        "warning: budget 60nfe",
    ]


def probe(**parts):
    return replace(Probe(1.0, 100.0, 8, 7.0, (0.5, 1.0), (2.0, 141.0), kept=0), **parts)


@pytest.mark.parametrize(
    ("budget", "stated", "parts", "said"),
    [
        ("141nfe", STATED, {}, f"below {FIT}"),
        (
            "140nfe",
            None,
            {},
            "below one full fit of quadratic (about 141 evaluations, of which 1 to start)",
        ),
        ("141nfe", None, {}, ""),
        (
            "1.41s",
            STATED,
            {},
            "below one full fit of quadratic (about 1.4 s, of which 0.0 to start)",
        ),  # 142 / 100
        ("1.43s", STATED, {}, ""),
        ("1.9s", None, {}, "below one full fit of quadratic (about 2.0 s"),
        (
            "1.9s",
            STATED,
            {"rate": 0.0},
            "below one full fit of quadratic (about 2.0 s",
        ),  # nothing is counted there
        ("2.1s", None, {}, ""),
        ("0.4s", None, {}, "below one start of quadratic"),
    ],
)
def test_a_dry_run_says_it_from_prices_and_its_probe(budget, stated, parts, said):
    (spec,) = plan(
        "random", "priced" if budget == "141nfe" and stated else "quadratic", budget=budget
    )
    line = probe(**parts).shortfall(spec, stated)
    assert (said in line) if said else line == ""


def test_the_probe_measures_a_fit():
    (spec,) = plan("random", "dear", budget="10s")
    found = Probe.of(spec, "cpu")
    assert (found.start[1], found.fit[1]) == (1.0, 141.0)
    assert 0 <= found.start[0] <= found.fit[0] < 5


def test_the_forecast_holds_the_warning(tmp_path):
    lines = list(forecast(plan("random,grid", "dear", budget="50nfe"), Store(tmp_path), "cpu", 1))
    assert len([line for line in lines if line.startswith("warning: budget 50nfe")]) == 1
