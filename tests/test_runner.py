"""One run: marks, failures, no incumbent, and what a method cannot see."""

import json
import time

import numpy as np
import pytest

from benchmark import Proposal, UsageError, fit, run
from benchmark.budget import Budget
from benchmark.command.parse import plan_from_text as plan
from benchmark.protocol import Test
from benchmark.registry import METHODS, Entry
from benchmark.report.frame import standing
from benchmark.report.report import report
from benchmark.report.table import tables
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from tasks.quadratic import Quadratic, QuadraticTask


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
    monkeypatch.setattr(
        QuadraticTask, "step", lambda self, *a: (taken.append(1), before(self, *a))[1]
    )
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
    monkeypatch.setattr(
        QuadraticTask, "test", lambda self, *a: Test({"objective": 1.0}, references=line)
    )
    status, found = go(tmp_path, climbs, monkeypatch, marks=[])
    if np.isfinite(value):
        assert found.tests[-1]["references"] == line
    else:
        assert status == "failed"
        assert "not finite: real images: objective" in found.run["error"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "test: expected a Test, got None"),
        (Test({}), "metrics: expected at least one number by name, got none"),
        (Test(3), "metrics: expected values by name, got 3"),
        (Test({"q": "x"}), "metric 'q': expected a number, got 'x'"),
        (Test({"q": None}), "metric 'q': expected a number, got None"),
        (Test({"q": np.ones(1)}), "metric 'q': expected a number, got array([1.])"),
        (Test({"q": 10**400}), "not finite: q"),
        (Test({"q": 1.0}, {"q": 3}), "passport 'q': expected a text, got 3"),
        (Test({"q": 1.0}, {3: "q"}), "passport: expected a name that is a text, got 3"),
        (Test({"q": 1.0}, {"q": "x" * 100_001}), "could not be read back: 0.passport.q: String"),
        (Test({"q": 1.0}, images=None), "images: expected (N, H, W, 3) uint8, got None"),
        (Test({"q": 1.0}, images=np.zeros((1, 2, 3))), "got float64 (1, 2, 3)"),
        (Test({"q": 1.0}, curves={"c": "abc"}), "curve 'c': expected (3, M) finite numbers"),
        (Test({"q": 1.0}, references={"r": {"q": "x"}}), "reference 'r: q': expected a number"),
    ],
)
def test_a_measurement_that_cannot_be_stored_is_a_failed_run_that_says_why(
    given, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(QuadraticTask, "test", lambda self, *a: given)
    status, found = go(tmp_path, climbs, monkeypatch, marks=[])
    assert status == "failed"
    assert message in found.run["error"]
    if "read back" not in message:
        assert found.run["error"].startswith("ValueError: task 'quadratic': ")
    assert [run.run["status"] for run in Store(tmp_path)] == ["failed"]


def test_such_a_run_can_be_run_again_once_its_cause_is_gone(tmp_path, monkeypatch):
    words = {"out": tmp_path, "budget": "60nfe", "marks": []}
    with monkeypatch.context() as patch:
        patch.setattr(QuadraticTask, "test", lambda self, *a: Test({}))
        assert len(run("random", "quadratic", **words).failed) == 1
    assert len(run("random", "quadratic", **words).failed) == 1
    assert len(run("random", "quadratic", retry_failed=True, **words).failed) == 0


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(2), True, 3])
def test_any_kind_of_number_is_a_metric(value, tmp_path, monkeypatch):
    monkeypatch.setattr(QuadraticTask, "test", lambda self, *a: Test({"q": value}))
    status, found = go(tmp_path, climbs, monkeypatch, marks=[])
    assert status == "budget_exhausted"
    assert found.tests[-1]["metrics"] == {"q": float(value)}


@pytest.mark.parametrize("version", ["one", None, -1])
def test_a_version_that_no_record_can_have_is_refused_before_any_run(version, monkeypatch):
    monkeypatch.setattr(Quadratic, "version", version)
    with pytest.raises(UsageError, match="task_version|version"):
        plan("random", "quadratic")


def test_a_cost_that_cannot_be_stored_is_a_failed_run(tmp_path, monkeypatch):
    """Found when the run ends: what was known of it before is stored."""
    monkeypatch.setattr(Quadratic, "counted", 3)
    status, found = go(tmp_path, climbs, monkeypatch, marks=[])
    assert status == "failed"
    assert "run.json: it could not be read back: counted: " in found.run["error"]
    assert found.run["ledger"]["objective"] > 0


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
    run("grid", "quadratic", out=tmp_path, budget="200nfe", options={"grid.per_axis": 3})
    (table,) = tables(Store(tmp_path))
    assert [(r.label, r.runs) for r in table.rows] == [
        ("grid (per_axis=3)", 1),
        ("grid (per_axis=5)", 1),
    ]
    report(list(Store(tmp_path)), tmp_path / "report")


def test_an_edited_plug_in_is_another_run(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic")
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: climbs))
    (mine,) = plan("mine", "quadratic")
    assert set(spec.fingerprint) == set(mine.fingerprint) == {"suite", "task code", "method code"}
    assert {k for k, v in spec.fingerprint.items() if mine.fingerprint[k] != v} == {"method code"}


def test_the_ledger_sums_to_the_wall_time(tmp_path, monkeypatch):
    def sleeps(problem, rng):
        time.sleep(0.3)
        yield from climbs(problem, rng)

    began = time.monotonic()
    _, found = go(tmp_path, sleeps, monkeypatch)
    wall = time.monotonic() - began
    accounts = found.run["ledger"]
    assert sum(accounts.values()) == pytest.approx(found.run["wall_seconds"], rel=1e-9)
    assert 0.3 < sum(accounts.values()) <= wall
    assert accounts["method"] > 0.3
    assert accounts["objective"] > 0


def test_measuring_changes_nothing_that_a_method_sees(tmp_path, monkeypatch):
    _, plain = go(tmp_path / "a", climbs, monkeypatch, marks=[])
    _, measured = go(tmp_path / "b", climbs, monkeypatch, marks=["44nfe", "88nfe", "132nfe"])
    drop = [{k: v for k, v in p.items() if k != "seconds"} for p in plain.proposals]
    assert drop == [{k: v for k, v in p.items() if k != "seconds"} for p in measured.proposals]
