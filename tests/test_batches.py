"""Several points at once: what is asked, written down, charged and restored."""

import json
import math
from contextlib import suppress

import numpy as np
import pytest

from benchmark import UsageError, fit, fit_many
from benchmark.budget import Budget, OutOfBudget
from benchmark.check import check_task
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import TASKS, Entry
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.metered import Metered
from benchmark.store.journal import Journal, Line
from methods import TABLE
from methods.bayesian import Bayesian
from methods.grid_search import GridSearch
from methods.optuna_cmaes import CMAES
from methods.optuna_gp import GP
from methods.optuna_qmc import QMC
from methods.optuna_sampler import OptunaSampler
from methods.optuna_tpe import TPE
from methods.random_search import RandomSearch
from tasks.quadratic import Quadratic
from tests import batches as b
from tests.batches import together  # noqa: F401
from tests.test_budget import FakeClock
from tests.test_resume import both_ways

HORIZON = 20
COST = HORIZON + 1
LAMS = np.random.default_rng(5).random((9, 2))
CHECKED = "several points at once as one after the other"


class Sink(list):
    write = list.append

    def flush(self):
        pass

    @property
    def lines(self):
        """The requests and answers, without seconds."""
        return [(f["ask"], f["gave"], f["nfe"]) for f in map(json.loads, self)]


def metered(task, nfe=10**6, priced=True, journal=None):
    prices = Quadratic().prices("") if priced else None
    return Metered(task, Budget(nfe, "nfe"), Ledger(), journal=journal, prices=prices)


def toy(batch=4, kind=b.TogetherTask):
    return kind(0, HORIZON, 0.5, batch)


def fitted(task, lams=LAMS, **more):
    """The proposals within the budget, and what was written down."""
    sink, found = Sink(), []
    problem = metered(task, journal=Journal(sink=sink), **more)
    with suppress(OutOfBudget):
        found.extend(fit_many(facade(problem), iter(lams)))
    return found, sink.lines, problem


def test_a_batch_is_one_request_and_one_line_and_costs_what_its_points_cost():
    task = toy()
    found, lines, problem = fitted(task)
    one = [*[("step_many", 4)] * HORIZON, ("loss_many", 4)]
    assert task.asked == [*one, *one, *[("step", 1)] * HORIZON, ("loss", 1)]
    assert problem.meter.nfe == task.nfe == 1 + 9 * COST
    assert problem.losses == 9
    assert lines[0][:2] == (["init", 0], 0)
    assert lines[1][0] == ["remaining"]
    ask, gave, nfe = lines[2]
    assert ask == ["step_many", [0] * 4, LAMS[:4].tolist(), 0.0]
    assert (gave, nfe) == ([1, 2, 3, 4], 5)
    assert lines[3][0][:2] == ["step_many", [1, 2, 3, 4]]
    alone = [fit(toy(), lam, 0).loss for lam in LAMS]
    assert [p.loss for p in found] == pytest.approx(alone, abs=1e-9)
    assert [p.lam.tolist() for p in found] == LAMS.tolist()


def test_with_batch_1_the_requests_are_those_of_one_fit_after_the_other():
    problem = metered(toy(1), journal=Journal(sink=(sink := Sink())))
    for lam in LAMS:
        fit(facade(problem), lam, 0)
    assert fitted(toy(1))[1] == fitted(Quadratic().open(0, "", "", "cpu"))[1] == sink.lines


def test_a_point_is_drawn_when_it_is_needed():
    drawn = []

    def points():
        for lam in LAMS:
            drawn.append(lam)
            yield lam

    for batch, needed in ((1, 1), (4, 4)):
        drawn.clear()
        next(fit_many(facade(metered(toy(batch))), points()))
        assert len(drawn) == needed


@pytest.mark.parametrize("fits", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("rest", [0, 5])
def test_a_budget_that_ends_inside_a_batch_loses_no_point_that_fits(fits, rest):
    budget = 1 + fits * COST + rest
    found, _, problem = fitted(toy(), nfe=budget)
    alone, _, single = fitted(toy(1), nfe=budget)
    assert len(found) == len(alone) == fits
    assert problem.meter.nfe == single.meter.nfe == budget


def test_without_prices_the_batch_that_passes_the_budget_is_lost():
    found, _, problem = fitted(toy(), nfe=1 + 6 * COST, priced=False)
    assert len(found) == 4
    # the last request is made, as any is whose price is unknown
    assert 0 <= problem.meter.nfe - (1 + 6 * COST) < 4


def test_a_priced_batch_that_would_pass_the_budget_is_refused():
    problem = metered(toy(), nfe=10)
    start = problem.init(0)
    states = problem.step_many([start] * 4, LAMS[:4])
    problem.step_many(states, LAMS[:4])
    with pytest.raises(OutOfBudget, match="spent 9 of 10nfe, and step_many costs 4"):
        problem.step_many(states, LAMS[:4])
    assert problem.meter.nfe == 9


def test_nan_is_inf_and_is_counted_for_each_point():
    _, lines, problem = fitted(toy(kind=b.NotANumberTask), LAMS[:4])
    assert [math.isinf(float(loss)) for loss in lines[-1][1]] == [False, True, False, True]
    assert (problem.losses, problem.not_finite) == (4, 2)


def test_what_a_batch_raised_is_written_down_and_its_numbers_are_not_used_up():
    problem = metered(toy(kind=b.ShortTask), journal=Journal(sink=(sink := Sink())))
    start = problem.init(0)
    with pytest.raises(ValueError, match="step_many: expected 3 answers, got 2"):
        problem.step_many([start] * 3, LAMS[:3])
    with pytest.raises(ValueError, match="loss_many: expected 3 answers, got 2"):
        problem.loss_many([start] * 3, LAMS[:3])
    assert problem.step(start, LAMS[0]).number == 1
    assert [gave[0] for _, gave, _ in sink.lines[1:3]] == ["raised", "raised"]


def test_wrong_arguments_are_no_request():
    problem = metered(toy())
    start = problem.init(0)
    with pytest.raises(ValueError, match="expected a lam for each of 2, got 3"):
        problem.step_many([start] * 2, LAMS[:3])
    with pytest.raises(TypeError, match="passes on states"):
        problem.loss_many([start, "y"], LAMS[:2])
    assert problem.step_many([], []) == problem.loss_many([], []) == []
    assert problem.meter.nfe == 1


def lines_of(sink):
    return [Line.read(text.encode()) for text in sink]


def test_a_state_is_restored_by_the_whole_batch_once_for_all_of_them():
    def asks(problem):
        states = [problem.init(0)] * 3
        for _ in range(5):
            states = problem.step_many(states, LAMS[:3], 0.25)
        # one goes on alone, and the batch after it holds states of two batches
        alone = problem.step(states[2], LAMS[2])
        return problem.step_many([states[0], alone], LAMS[:2])

    sink = Sink()
    first = metered(toy(), journal=Journal(sink=sink))
    before = [first.states.inside(h) for h in asks(first)]
    task = toy()
    second = metered(task, journal=Journal(lines_of(sink)))
    handles = asks(second)
    assert task.asked == []
    assert np.array_equal([second.states.inside(h) for h in handles], before)
    assert task.asked == [*[("step_many", 3)] * 5, ("step", 1), ("step_many", 2)]
    assert second.meter.nfe == first.meter.nfe


@pytest.mark.parametrize("gave", [5, [1], [1, 2, 3], [2, 3], [1, "2"], "ab", None], ids=repr)
def test_a_line_of_a_batch_makes_as_many_states_as_it_was_given(gave, tmp_path):
    from benchmark.store.journal import read_lines

    def text(ask, gave):
        return json.dumps({"ask": ask, "gave": gave, "nfe": 1, "seconds": [0] * 7}) + "\n"

    start, ask = text(["init", 0], 0), ["step_many", [0, 0], [[0.1], [0.2]], 0.0]
    path = tmp_path / "calls.jsonl"
    for bad in (text(ask, gave), text(["step_many"], [1])):
        path.write_text(start + bad)
        assert len(read_lines(path)) == 1
    path.write_text(start + text(ask, [1, 2]) + text(["step", 2, [0.1], 0.0], 3))
    assert len(read_lines(path)) == 3


METHODS = ("bayesian", "cmaes", "gp", "grid", "optuna", "qmc", "random", "tpe")


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize(
    ("method", "kept"),
    # how a state comes back is the store's doing, whatever the method
    [(method, 1e9) for method in METHODS] + [("random", 0.0), ("tpe", 0.0)],
)
def test_a_resumed_search_is_the_uninterrupted_one(method, kept, tmp_path, monkeypatch):
    assert method in TABLE
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", kept)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    model = [f"{method}.batch=3"] if method in ("tpe", "gp", "optuna") else []
    (spec,) = plan(method, "together", budget="330nfe", settings=model)
    both_ways(spec, tmp_path, monkeypatch, 0.6)


@pytest.mark.usefixtures("together")
def test_a_run_without_prices_says_by_how_much_its_batch_passed_the_budget(tmp_path, monkeypatch):
    (spec,) = plan("random", "unpriced", budget="100nfe", marks=[])
    found = both_ways(spec, tmp_path, monkeypatch, 0.5)
    # a start, a batch of 85 in all, and five steps of another of which each costs 4
    assert (found.run["nfe"], found.run["overrun_nfe"]) == (101, 1)


class Noted:
    """The points in the order in which they were asked, and in blocks; F is inf for `failing`."""

    def __init__(self, batch, failing=()):
        self.task, self.batch, self.failing = Quadratic().open(0, "", "", "cpu"), batch, failing
        self.space, self.horizon = self.task.space, 1
        self.prices, self.budget = None, Budget(1, "s")
        self.points, self.blocks = [], []

    def init(self, seed):
        return self.task.init(seed)

    def step(self, state, lam, tilt=0.0):
        for _ in range(20):
            state = self.task.step(state, lam)
        return state

    def step_many(self, states, lams, tilt=0.0):
        return [self.step(*pair) for pair in zip(states, lams, strict=True)]

    def loss(self, state, lam):
        return self.loss_many([state], [lam])[0]

    def loss_many(self, states, lams):
        self.blocks.append(len(lams))
        found = []
        for state, lam in zip(states, lams, strict=True):
            failed = len(self.points) in self.failing
            found.append(math.inf if failed else self.task.loss(state, lam))
            self.points.append(lam.tolist())
        return found


KNOWN = {
    "grid": (GridSearch(), 25, [4] * 6 + [1]),
    "random": (RandomSearch(trials=10), 10, [4, 4, 2]),
    "qmc": (QMC(trials=10), 10, [4, 4, 2]),
    "random of optuna": (OptunaSampler(10, "RandomSampler"), 10, [4, 4, 2]),
    "grid of optuna": (OptunaSampler(100, "GridSampler"), 25, [4] * 6 + [1]),
    "bayesian": (Bayesian(trials=9, initial=6), 9, [4, 2, 1, 1, 1]),
    "tpe": (TPE(trials=9, initial=6), 9, [4, 2, 1, 1, 1]),
    "gp": (GP(trials=8, initial=6), 8, [4, 2, 1, 1]),
    "tpe by its class": (OptunaSampler(13), 13, [4, 4, 2, 1, 1, 1]),
    "cmaes": (CMAES(trials=14, population=6), 14, [1, 4, 2, 4, 2, 1]),
    "cmaes, its own population": (CMAES(trials=14), 14, [1, 4, 2, 4, 2, 1]),
}


@pytest.mark.parametrize("failing", [(), (1, 2)], ids=["", "with failures"])
@pytest.mark.parametrize("name", KNOWN)
def test_points_that_depend_on_no_answer_are_asked_at_once_and_are_the_same(name, failing):
    method, trials, blocks = KNOWN[name]
    alone, at_once = (Noted(batch, failing) for batch in (1, 4))
    answers = [[p.loss for p in method(t, np.random.default_rng(0))] for t in (alone, at_once)]
    assert len(alone.points) == len(at_once.points) == trials
    assert set(alone.blocks) == {1}
    if not failing:
        assert at_once.blocks == blocks
    if name.startswith("cmaes"):
        # the later generations of Optuna's draw from another place of the same stream
        assert alone.points[:7] == at_once.points[:7] != alone.points[7:]
        return
    assert alone.points == at_once.points
    assert answers[0] == answers[1] == sorted(answers[0], reverse=True)


@pytest.mark.parametrize(
    "method",
    [
        TPE(trials=12, initial=4, batch=4),
        GP(trials=12, initial=4, batch=4),
        OptunaSampler(12, "TPESampler", '{"n_startup_trials": 4}', batch=4),
    ],
    ids=["tpe", "gp", "optuna"],
)
def test_a_model_asks_for_several_points_in_sight_of_those_that_run(method):
    task = Noted(4)
    list(method(task, np.random.default_rng(0)))
    assert task.blocks == [4, 4, 4]
    assert len({tuple(p) for p in task.points}) == 12
    # the task answers one by one, and the points are the same
    alone = Noted(1)
    list(method(alone, np.random.default_rng(0)))
    assert alone.points == task.points


@pytest.mark.parametrize("value", ["0", "-1", "four", "1.5", "nan"])
@pytest.mark.parametrize(
    ("method", "task", "name"),
    [
        ("tpe", "quadratic", "tpe.batch"),
        ("gp", "quadratic", "gp.batch"),
        ("optuna", "quadratic", "optuna.batch"),
        ("random", "reward_ft", "reward_ft.lam_batch"),
    ],
)
def test_a_batch_is_a_whole_number_from_1(method, task, name, value):
    with pytest.raises(UsageError, match=name) as caught:
        plan(method, task, settings=[f"{name}={value}"])
    assert "\n" not in str(caught.value)


def test_the_default_is_no_part_of_an_identity():
    def name(*settings, task="quadratic"):
        return plan("tpe", task, settings=list(settings))[0].run_id

    assert name() == name("tpe.batch=1") != name("tpe.batch=2")
    assert name(task="reward_ft") == name("reward_ft.lam_batch=1", task="reward_ft")
    assert name(task="reward_ft") != name("reward_ft.lam_batch=2", task="reward_ft")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (b.TogetherTask, ""),
        (b.FirstAloneTask, "step_many: point 2 has another y than alone, by more than rounding"),
        (b.UncountedTask, "loss_many took 1 evaluations, one after the other 3"),
        (b.ShortTask, "step_many of 3 points gave 2 answers"),
        (b.InPlaceTask, "a state that was given has changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bench_check_compares_a_batch_with_its_points(kind, wrong, monkeypatch):
    class Made(b.Together):
        def open(self, seed, prompt, lower, device):
            return kind(seed, HORIZON, 0.5, 4)

    TASKS.complete()
    monkeypatch.setitem(TASKS.entries, "made", Entry("made", "test", lambda: Made))
    found = {what: text for what, text in check_task("made") if text}
    assert wrong in found.pop(CHECKED, "")
    assert found == {}


def test_bench_check_says_that_a_task_has_no_batches():
    assert any(f"{CHECKED}: not compared" in what for what, _ in check_task("quadratic"))


def test_under_a_budget_in_seconds_the_batch_that_passes_it_is_lost():
    clock = FakeClock()

    class Slow(b.TogetherTask):
        """A second for each evaluation."""

        def step_many(self, states, lams, tilt=0.0):
            clock.now += len(states)
            return super().step_many(states, lams, tilt)

    problem = Metered(toy(kind=Slow), Budget(6 * HORIZON, "s"), Ledger(clock))
    found = []
    with pytest.raises(OutOfBudget):
        found.extend(fit_many(facade(problem), LAMS))
    assert len(found) == 4
    assert problem.losses == 4
