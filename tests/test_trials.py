"""Every evaluation of F is kept: as it was asked, stamped as the search was, in native units."""

import json
import math

import pytest

from benchmark import Choice, Float, Integer, Space, fit
from benchmark.api.results import Results
from benchmark.command.parse import plan_from_text as plan
from benchmark.fitting import advance
from benchmark.protocol import Proposal
from benchmark.registry import METHODS, TASKS, Entry
from benchmark.runs.runner import run_one
from benchmark.space import as_json, from_json
from benchmark.store import writer
from benchmark.store.store import Store
from tests.mixed import Mixed


def done(tmp_path, method, task="quadratic", budget="500nfe", **more):
    (spec,) = plan(method, task, budget=budget, **more)
    store = Store(tmp_path)
    assert run_one(spec, store, quiet=True) != "failed", store.find(spec).run["error"]
    return store.find(spec)


def test_each_evaluation_is_a_row_of_what_was_asked(tmp_path, monkeypatch):
    asked = []

    def method(problem, rng):
        for seed in (0, 5):
            state = problem.init(seed)
            for steps in (2, 3):
                lam = rng.random(problem.space.dim)
                state = advance(problem, state, lam, steps)
                loss = problem.loss(state, lam)
                asked.append((problem.space.native(lam), loss, seed))
                yield Proposal(lam, state, loss)
        # the second call at one state is an evaluation of its own
        asked.append((problem.space.native(lam), problem.loss(state, lam), seed))

    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: method))
    run = done(tmp_path, "mine")
    assert [(t["lam"], t["loss"], t["seed"]) for t in run.trials] == asked
    assert [t["steps"] for t in run.trials] == [2, 5, 2, 5, 5]
    # an init, two steps and a loss, each one evaluation of the toy
    assert [t["nfe"] for t in run.trials] == [4, 8, 12, 16, 17]
    seconds = [t["seconds"] for t in run.trials]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)
    assert seconds[-1] <= run.run["search_seconds"]
    # before the proposal that reports it
    assert [p["loss"] for p in run.proposals] == [loss for _, loss, _ in asked[:-1]]
    assert run.run["losses"] == len(asked)


def test_what_is_not_finite_and_what_lies_outside(tmp_path, monkeypatch):
    from tasks.quadratic import QuadraticTask

    values = iter([math.nan, math.inf, 1.0, 2.0])
    monkeypatch.setattr(QuadraticTask, "loss", lambda self, state, lam: next(values))

    def method(problem, rng):
        state, lam = problem.init(0), problem.space.default()
        for at in (lam, lam, lam + 7, lam):
            problem.loss(state, at)
        yield Proposal(lam, state)

    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: method))
    run = done(tmp_path, "mine")
    # a point outside of the cube has no native values
    assert [t["loss"] for t in run.trials] == [math.inf, math.inf, 2.0]


def test_the_space_is_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS.entries, "mixed", Entry("mixed", "test", lambda: Mixed))
    run = done(tmp_path, "random", "mixed")
    assert from_json(run.run["space"]) == Mixed().open(0, "", "", "cpu").space
    assert isinstance(run.trials[0]["lam"]["shape"], str)


def test_axes_are_read_back():
    space = Space(
        (
            Float("a", 0.1, 10.0, 1.0, log=True, grid=(0.1, 1.0)),
            Float("b", -1.0, 1.0, 0.0),
            Integer("n", 1, 9, 3, grid=(1, 5)),
            Integer("m", 1, 900, 3, log=True),
            Choice("s", ("x", "y"), "y", grid=("x",)),
        )
    )
    assert from_json(json.loads(json.dumps(as_json(space)))) == space


def test_a_file_that_would_be_too_long_is_cut_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LIMIT", 1500)
    run = done(tmp_path, "random", budget="2000nfe")
    assert 5 < len(run.trials) < run.run["losses"] == 20
    assert [n for n in run.run["notes"] if "trials.jsonl is full" in n]
    whole = done(tmp_path / "2", "random", budget="2000nfe", settings=["random.trials=5"])
    assert len(whole.trials) == 5
    assert not whole.run["notes"]


def test_trials_in_python(tmp_path):
    runs = [done(tmp_path, m, seeds="3") for m in ("random", "bilevel", "hyperband")]
    found = Results(runs).trials()
    assert len(found) == sum(len(r.trials) for r in runs)
    assert set(found.method) == {"random", "hyperband"}
    assert set(found.seed) == {3}
    assert set(found.start) == {0}
    first = found.iloc[0]
    assert (first.loss, first["lam.a"]) == (
        runs[0].trials[0]["loss"],
        runs[0].trials[0]["lam"]["a"],
    )
    # a whole fit each, and parts of it
    assert set(found[found.method == "random"].steps) == {20}
    assert found[found.method == "hyperband"].steps.nunique() > 1
    empty = Results([runs[1]]).trials()
    assert len(empty) == 0
    assert set(empty) < set(found)


def test_a_run_of_before_has_none(tmp_path):
    run = done(tmp_path, "random")
    (run.folder / "trials.jsonl").unlink()
    (again,) = Store(tmp_path)
    assert again.trials == []


@pytest.mark.parametrize("line", ['{"lam": {}}', "[]", '{"seconds": 1', "null"])
def test_a_torn_line_is_left_out(line, tmp_path):
    run = done(tmp_path, "random")
    path = run.folder / "trials.jsonl"
    path.write_text(path.read_text() + line)
    (again,) = Store(tmp_path)
    assert again.trials == run.trials


def test_fit_is_one_row(tmp_path, monkeypatch):
    def method(problem, rng):
        yield fit(problem, problem.space.default(), seed=2)

    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: method))
    (row,) = done(tmp_path, "mine").trials
    assert (row["seed"], row["steps"], row["nfe"]) == (2, 20, 22)
