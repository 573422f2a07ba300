"""One run: marks, failures, no incumbent, and what a method cannot see."""

import json

import numpy as np
import pytest

from benchmark import Proposal, fit, run
from benchmark.budget import Budget
from benchmark.frame import standing
from benchmark.plan import plan
from benchmark.protocol import Test
from benchmark.registry import METHODS, Entry
from benchmark.report import report
from benchmark.runner import run_one
from benchmark.store import Store
from benchmark.table import tables
from tasks.quadratic import QuadraticTask


def go(tmp_path, method, monkeypatch, task="quadratic", **options):
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: method))
    store = Store(tmp_path)
    (spec,) = plan("mine", task, **({"budget": "220nfe"} | options))
    status = run_one(spec, store, quiet=True)
    return status, store.find(spec)


def climbs(problem, rng):
    for k in range(100):
        yield fit(problem, np.full(problem.space.dim, k / 100), 0)


def test_the_proposals_that_stood_at_the_marks_are_measured(tmp_path, monkeypatch):
    status, found = go(tmp_path, climbs, monkeypatch, marks=["50nfe", "130nfe"])
    assert status == "budget_exhausted"
    assert [t["nfe"] for t in found.tests] == [43, 127, 211]  # a fit costs 21, and the start 1
    assert standing(found, Budget.parse("130nfe"))["nfe"] == 127
    assert standing(found, None)["nfe"] == 211
    with pytest.raises(Exception, match="--marks 90nfe"):
        standing(found, Budget.parse("90nfe"))


def test_a_mark_gives_what_that_budget_would_have_given(tmp_path, monkeypatch):
    _, long = go(tmp_path / "a", climbs, monkeypatch, marks=["88nfe"])
    _, short = go(tmp_path / "b", climbs, monkeypatch, budget="88nfe", marks=[])
    at, real = standing(long, Budget.parse("88nfe")), standing(short, None)
    assert (at["lam"], at["metrics"], at["nfe"]) == (real["lam"], real["metrics"], real["nfe"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda p: 1 / 0, "ZeroDivisionError"),
        (lambda p: "garbage", "yields Proposals"),
        (lambda p: Proposal(np.full(2, np.nan), None), "lam is"),
        (lambda p: Proposal(np.zeros(5), None), "lam is"),
        (lambda p: p.test(None, None), "AttributeError"),
    ],
)
def test_a_bad_method_is_a_failed_row(tmp_path, monkeypatch, bad, message):
    def method(problem, rng):
        yield fit(problem, np.zeros(2), 0)
        yield bad(problem)

    status, found = go(tmp_path, method, monkeypatch)
    assert status == "failed"
    assert message in found.run["error"]
    (table,) = tables([found])
    assert (table.rows[0].runs, table.rows[0].failed) == (1, 1)


def test_nan_for_a_loss_is_stored_as_inf(tmp_path, monkeypatch):
    def method(problem, rng):
        yield Proposal(np.zeros(2), fit(problem, np.zeros(2), 0).state, float("nan"))

    status, found = go(tmp_path, method, monkeypatch)
    assert status == "ok"
    assert found.proposals[0]["loss"] == np.inf


@pytest.fixture
def steps(monkeypatch):
    """How many steps the task took, on the clock or off it."""
    taken = []
    before = QuadraticTask.step
    monkeypatch.setattr(QuadraticTask, "step", lambda self, *a: (taken.append(1), before(self, *a))[1])
    return taken


def test_no_proposal_in_time_is_no_answer(tmp_path, monkeypatch, steps):
    status, found = go(tmp_path, climbs, monkeypatch, budget="5nfe")
    assert status == "budget_exhausted"
    assert found.run["no_incumbent"]
    assert json.loads((found.folder / "final.json").read_text())["tests"] == found.tests == []
    assert not (found.folder / "samples.png").exists()
    assert found.run["nfe"] == 5
    assert len(steps) == 4, "nothing is trained that nobody paid for"


def test_before_its_first_proposal_a_method_has_no_answer(tmp_path, monkeypatch, steps):
    _, found = go(tmp_path, climbs, monkeypatch, marks=["10nfe", "50nfe"])
    assert [t["nfe"] for t in found.tests] == [43, 211]
    assert len(steps) == 10 * 20 + 9  # a start, ten fits of 21, and what is left of 220


@pytest.mark.parametrize("value", [2.5, float("nan")])
def test_reference_lines_are_stored_and_finite(value, tmp_path, monkeypatch):
    line = {"real images": {"objective": value}}
    monkeypatch.setattr(QuadraticTask, "test", lambda self, *a: Test({"objective": 1.0}, references=line))
    status, found = go(tmp_path, climbs, monkeypatch, marks=[])
    if np.isfinite(value):
        assert found.tests[-1]["references"] == line
    else:
        assert status == "failed"
        assert "not finite: real images: objective" in found.run["error"]


def test_what_is_proposed_is_what_is_measured(tmp_path, monkeypatch):
    """A method may go on working in its own array."""

    def in_place(problem, rng):
        lam = np.full(2, 0.25)
        state = problem.step(problem.init(0), lam)
        yield Proposal(lam, state)
        lam[:] = 0.75
        problem.loss(state, lam)

    _, found = go(tmp_path, in_place, monkeypatch)
    assert found.tests[-1]["lam"]["a"] == found.proposals[-1]["lam"]["a"] == pytest.approx(-1.0)


def test_other_options_are_another_row_and_other_marks_are_not(tmp_path):
    run("grid", "quadratic", out=tmp_path, budget="200nfe")
    run("grid", "quadratic", out=tmp_path, budget="200nfe", marks=["60nfe"])
    run("grid", "quadratic", out=tmp_path, budget="200nfe", settings=["grid.per_axis=3"])
    (table,) = tables(Store(tmp_path))
    assert [(r.label, r.runs) for r in table.rows] == [("grid (per_axis=3)", 1), ("grid (per_axis=5)", 1)]
    report(list(Store(tmp_path)), tmp_path / "report")


def test_an_edited_plug_in_is_another_run(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic")
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: climbs))
    (mine,) = plan("mine", "quadratic")
    assert set(spec.fingerprint) == set(mine.fingerprint) == {"suite", "task code", "method code"}
    assert {k for k, v in spec.fingerprint.items() if mine.fingerprint[k] != v} == {"method code"}


def test_the_ledger_sums_to_the_wall_time(tmp_path, monkeypatch):
    import time

    began = time.monotonic()
    _, found = go(tmp_path, climbs, monkeypatch)
    wall = time.monotonic() - began
    assert 0.5 * wall < sum(found.run["ledger"].values()) <= wall
    assert found.run["ledger"]["objective"] > 0


def test_measuring_changes_nothing_that_a_method_sees(tmp_path, monkeypatch):
    _, plain = go(tmp_path / "a", climbs, monkeypatch, marks=[])
    _, measured = go(tmp_path / "b", climbs, monkeypatch, marks=["44nfe", "88nfe", "132nfe"])
    drop = [{k: v for k, v in p.items() if k != "seconds"} for p in plain.proposals]
    assert drop == [{k: v for k, v in p.items() if k != "seconds"} for p in measured.proposals]
