"""Why a run left no answer: three causes, of which a larger budget cures one; and objectives that
are numbers and absurd.
"""

import numpy as np
import pandas as pd
import pytest

from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS, Entry
from benchmark.report.stats import estimate
from benchmark.runs.runner import run_one
from benchmark.search.measure import why_none
from benchmark.store.store import Store
from tasks.quadratic import QuadraticTask
from tests.made import told

FIVE = ("bilevel", "default", "grid", "random", "bayesian")

LOSS = QuadraticTask.loss


@pytest.fixture
def losses(monkeypatch):
    """A function that makes F answer what it is given, one after the other, the last for ever."""

    def answer(*values):
        left = list(values)
        monkeypatch.setattr(
            QuadraticTask,
            "loss",
            lambda *a: (LOSS(*a), left[0] if len(left) == 1 else left.pop(0))[1],
        )

    return answer


def stored(tmp_path, method="random", budget="200nfe"):
    (spec,) = plan(method, "quadratic", budget=budget)
    run_one(spec, Store(tmp_path), quiet=True)
    return Store(tmp_path).find(spec).run


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_finite_f_is_said_and_counted(bad, losses, tmp_path):
    losses(bad)
    run = stored(tmp_path)
    assert (run["losses"], run["not_finite"]) == (9, 9)
    assert run["no_incumbent"]
    why = (
        "none of its 9 evaluations of F was finite; a larger budget is no cure, look at the "
        "task and its options"
    )
    assert run["why_none"] == why
    assert told(run) == [f"no answer: {why}"]


def test_some_that_are_not_finite_are_counted_beside_an_answer(losses, tmp_path):
    losses(np.nan, 3.0, np.nan, 2.0)
    run = stored(tmp_path)
    assert (run["losses"], run["not_finite"], run["no_incumbent"], run["why_none"]) == (
        9,
        2,
        False,
        "",
    )
    assert told(run) == []


@pytest.mark.parametrize("method", ["random", "grid", "bayesian"])
def test_a_budget_that_ends_before_the_first_fit(method, tmp_path):
    run = stored(tmp_path, method, "10nfe")
    assert (run["losses"], run["not_finite"]) == (0, 0)
    assert (
        run["why_none"]
        == "the budget ended before the first evaluation of F; give it more with --budget"
    )


def test_a_method_that_ends_by_itself(monkeypatch, tmp_path):
    def silent(problem, rng):
        problem.loss(problem.init(0), problem.space.default())
        return
        yield

    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "silent", Entry("silent", "test", lambda: silent))
    run = stored(tmp_path, "silent")
    assert (run["status"], run["losses"], run["not_finite"]) == ("ok", 1, 0)
    assert run["why_none"] == "the method ended by itself without one, after 1 evaluation of F"


def test_other_causes():
    assert why_none("budget_exhausted", "guard: 5 states in use", 2, 0) == (
        "the search was ended by its guard: 5 states in use, after 2 evaluations of F"
    )
    assert why_none("budget_exhausted", "", 2, 1).startswith(
        "the budget ended after 2 evaluations of F"
    )


def test_the_command_has_a_line_for_each_cause(losses, tmp_path, capsys):
    losses(np.nan)
    words = [
        "run",
        "--method",
        "random,grid",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        "--quiet",
        "--in-process",
    ]
    assert main([*words, "--seeds", "0-2", "--out", str(tmp_path / "runs")]) == 0
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("no answer: ")]
    assert line.startswith(
        "no answer: random, seed 0 and 5 more: none of its 9 evaluations of F was finite"
    )


def test_the_counts_are_the_same_after_a_replay(monkeypatch, losses, tmp_path):
    """Cut short at the fifth evaluation."""
    losses(np.nan)
    (spec,) = plan("random", "quadratic", budget="200nfe")
    answer, asked = QuadraticTask.loss, []

    def cut(*a):
        asked.append(1)
        if len(asked) == 5:
            monkeypatch.setattr("benchmark.runs.interrupts.Interrupts.came", True)
            raise KeyboardInterrupt
        return answer(*a)

    monkeypatch.setattr(QuadraticTask, "loss", cut)
    with pytest.raises(KeyboardInterrupt):
        run_one(spec, Store(tmp_path), quiet=True)
    run_one(spec, Store(tmp_path), quiet=True)
    run = Store(tmp_path).find(spec).run
    assert (run["resumed"], run["losses"], run["not_finite"], len(asked)) == (1, 9, 9, 10)


@pytest.mark.parametrize("scale", [-1e300, 1e-300])
def test_an_absurd_objective_breaks_neither_run_nor_report(scale, monkeypatch, tmp_path, capsys):
    before = QuadraticTask.test

    def test(self, *a):
        found = before(self, *a)
        return type(found)({k: (v + 1) * scale for k, v in found.metrics.items()}, found.passport)

    monkeypatch.setattr(QuadraticTask, "loss", lambda *a: (LOSS(*a) + 1) * scale)
    monkeypatch.setattr(QuadraticTask, "test", test)
    words = [
        "run",
        "--method",
        "bilevel,default,grid,random,bayesian",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        "--seeds",
        "0-3",
        "--quiet",
    ]
    with np.errstate(all="raise", under="ignore"):
        assert main([*words, "--in-process", "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    rows = [line for line in said.out.splitlines() if line.startswith(FIVE)]
    assert len(rows) == len(FIVE)
    assert max(map(len, rows)) < 130
    table = pd.read_csv(tmp_path / "runs" / "report" / "table1.csv")
    assert list(table["failed"]) == [0] * len(FIVE)
    assert np.isfinite(table[["objective", "objective_ci_low", "objective_ci_high"]]).all(axis=None)
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert main(["verify", str(tmp_path / "runs")]) == 0


def test_an_interval_of_absurd_values_is_that_of_sane_ones():
    values = {(k, p): v for p in "ab" for k, v in enumerate([1.0, 1.5, 2.25, 1.125])}
    sane, absurd = estimate(values), estimate({c: v * 1e305 for c, v in values.items()})
    for name in ("mean", "low", "high"):
        assert getattr(absurd, name) == pytest.approx(getattr(sane, name) * 1e305, rel=1e-12)
