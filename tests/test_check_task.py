"""`bench check TASK` finds each wrong task by the right line, and passes right ones in all their
forms.
"""

import random

import numpy as np
import pytest

from benchmark.check import check_task
from benchmark.check.differences import settled
from benchmark.protocol import Test
from benchmark.registry import TASKS, Entry
from tasks.tilted import Tilted
from tests import wrong_tasks as w

INIT = "init is the same in two instances, whatever the global random state"
TILT = "a tilt changes a step"
COST = "each request takes network evaluations, as its price says"
OF_G = "grad against differences of G"
LOWER = "tilted steps lower G + tilt F"
OF_F = "hypergradient against differences of F"


@pytest.fixture
def check(monkeypatch):
    def run(maker):
        TASKS.complete()
        monkeypatch.setitem(TASKS.entries, "made", Entry("made", "test", lambda: maker))
        return list(check_task("made"))

    return run


@pytest.fixture
def problems(check):
    return lambda maker: {what: problem for what, problem in check(maker) if problem}


def tilted(task, **said):
    return w.made(task, Tilted, **said)


RIGHT = {
    "quadratic": w.made(w.Plain),
    "tilted": tilted(w.PlainTilted),
    "quadratic with G": w.made(w.Observed),
    "tilted with G": tilted(w.ObservedTilted),
    "priced": w.made(w.Plain, prices={}),
    "priced, a loss that is free": w.made(w.free(w.Plain, "loss"), prices={"loss": 0}),
    "with a tolerance": w.made(w.wrong(w.Plain, grad=w.GRADS["times 1.1"]), tolerance=0.15),
    "not to be compared": w.made(
        w.wrong(w.Observed, step=w.STEPS["half the tilt"]), tolerance=None
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_right_tasks_pass(case, problems):
    assert problems(RIGHT[case]) == {}


@pytest.mark.parametrize("how", w.GRADS)
@pytest.mark.parametrize(("base", "make"), [(w.Observed, w.made), (w.ObservedTilted, tilted)])
def test_a_wrong_gradient_is_found_with_and_without_g(how, base, make, problems):
    assert set(problems(make(w.wrong(base, grad=w.GRADS[how])))) == {OF_G, OF_F}
    assert set(problems(make(w.wrong(base.__base__, grad=w.GRADS[how])))) == {OF_F}


def test_what_a_wrong_gradient_and_the_right_one_are_is_said(problems):
    """At lam = 2 and mean 1/2 of p = N(1/2, 1): dG/du = KL lam log(100) = (1/8) 2 log(100)."""
    found = problems(tilted(w.wrong(w.ObservedTilted, grad=w.GRADS["times -7"])))[OF_G]
    said = dict(part.rsplit(" ", 1) for part in found.split(": ")[1].split(", "))
    assert float(said["grad"]) == pytest.approx(-7 * float(said["differences of G"]), rel=1e-3)
    lam = float(found.split("lam = ")[1].split(":")[0])
    mean = 1 / 0.7  # of the state, which is that of the default
    assert float(said["differences of G"]) == pytest.approx(
        mean**2 / 2 * lam * np.log(100), rel=1e-3
    )


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("ignores tilt", {TILT, LOWER}),
        ("at 1 - lam", {LOWER}),
        ("against F", {LOWER}),
        ("half the tilt", set()),
    ],
)
@pytest.mark.parametrize(("base", "make"), [(w.Observed, w.made), (w.ObservedTilted, tilted)])
def test_a_wrong_step_is_found_with_and_without_g(how, found, base, make, problems):
    with_g = set(problems(make(w.wrong(base, step=w.STEPS[how]))))
    assert with_g - {LOWER} == found - {LOWER} | {OF_F}
    assert LOWER in with_g or how in ("at 1 - lam", "half the tilt")
    assert set(problems(make(w.wrong(base.__base__, step=w.STEPS[how])))) == found - {LOWER} | {
        OF_F
    }


@pytest.mark.parametrize("init", [w.unseeded, w.unseeded_numpy, w.unseeded_torch])
def test_init_from_global_randomness_is_found(init, problems):
    assert INIT in problems(w.made(type("Unseeded", (w.Plain,), {"init": init})))


@pytest.mark.parametrize("name", ["step", "loss", "grad"])
def test_an_oracle_that_reads_global_randomness_is_found(name, problems):
    noisy = w.wrong(
        w.Plain, **{name: lambda right, self, *args: right(*args) * (1 + 1e-9 * random.random())}
    )
    assert "answers differ" in problems(w.made(noisy))["a state that was packed goes on to the bit"]


def test_f_that_is_finite_nowhere_is_found(problems):
    nowhere = w.wrong(w.Plain, loss=lambda right, self, *args: right(*args) + np.inf)
    assert (
        problems(w.made(nowhere))[OF_F]
        == "F is a finite number at none of the points that were tried"
    )


@pytest.mark.parametrize("name", ["init", "step", "loss", "grad"])
def test_an_oracle_that_costs_nothing_is_found(name, problems):
    task = w.free(w.Plain, name)
    assert f"{name} took none, and the task has no `prices`" in problems(w.made(task))[COST]
    assert f"{name} took 0, its price overstates that: 1" in problems(w.made(task, prices={}))[COST]


@pytest.mark.parametrize("name", ["init", "step", "loss", "grad", "tilted_step", "tilted_grad"])
def test_a_price_that_is_too_low_is_found(name, problems):
    """A price of 0 too, for an oracle that is counted."""
    assert problems(w.made(w.Plain, prices={name: 0})) == {
        COST: f"{name.replace('_', ' ')} took 1, more than its price 0"
    }


def test_prices_of_another_horizon_are_found(problems):
    assert "21 steps, the task's has 20" in problems(w.made(w.Plain, prices={"horizon": 21}))[COST]


def test_a_counter_that_goes_back_is_found(problems):
    def back(right, self, *args):
        self.nfe -= 5
        return right(*args)

    assert "loss: the counter went back by 4" in problems(w.made(w.wrong(w.Plain, loss=back)))[COST]


def test_a_task_may_say_that_it_leaves_tilt_out(check, problems):
    """Both are needed: prices that are equal and no tolerance."""
    task = w.wrong(w.Plain, step=w.STEPS["ignores tilt"])
    assert TILT in problems(w.made(task, tolerance=None))
    assert TILT in problems(w.made(task, prices={}))
    lines = dict(check(w.made(task, prices={}, tolerance=None)))
    assert lines[f"{TILT}: it does not, and the task says so (equal prices, no tolerance)"] == ""
    assert lines[f"{OF_F}: not compared (the task's `tolerance` says that it cannot be)"] == ""
    assert lines[f"{OF_G}: not compared (the task has no `lower`)"] == ""


def test_f_that_does_not_depend_on_lam_is_found(problems):
    at_the_middle = w.wrong(
        w.Plain, step=lambda right, self, s, lam, t=0.0: right(s, np.full(2, 0.5), t)
    )
    assert "F does not change with lam" in problems(w.made(at_the_middle))[OF_F]


def test_a_step_that_changes_its_state_is_found(problems):
    def step(right, self, state, lam, tilt=0.0):
        state[:] = right(state, lam, tilt)
        return state

    assert "a step leaves its state as it was" in problems(w.made(w.wrong(w.Plain, step=step)))


def test_a_task_that_does_not_open_is_one_finding_with_its_place(check):
    def no(self, *args):
        raise ValueError("no")

    maker = w.made(w.Plain)
    maker.open = no
    ((what, problem),) = check(maker)
    assert what == "it opens, and init answers"
    assert (
        problem
        == f"ValueError: no (tests/test_check_task.py, line {no.__code__.co_firstlineno + 1})"
    )


@pytest.mark.parametrize(
    ("estimates", "chosen"),
    [
        ([5.0, 1.1, 1.0, 0.2], 2),  # the two that agree best
        ([1.0, 1.0, 1.3, 1.301, 0.2], 3),  # the finest two that agree
        ([np.nan, 2.0], 1),
        ([1.0, np.inf, 1.1, 3.0], 2),
        ([np.nan, np.nan], 0),
    ],
)
def test_which_difference_counts(estimates, chosen):
    both = [np.array([e, 0.0]) for e in estimates]
    value, which = settled(both)
    assert list(which) == [chosen, len(estimates) - 1]
    np.testing.assert_equal(value, [estimates[chosen], 0.0])


def test_a_g_that_is_wavy_is_compared_at_a_small_width(problems):
    """As a network's is that is told the noise level: waves of 0.006 of the cube, in single
    precision.
    """

    class Wavy(w.Observed):
        def lower(self, state, lam):
            return float(np.float32(super().lower(state, lam) + 0.01 * np.sum(np.sin(1000 * lam))))

        def grad(self, state, lam, tilt=0.0):
            return super().grad(state, lam, tilt) + 10 * np.cos(1000 * lam)

    assert OF_G not in problems(w.made(Wavy))
    assert OF_G in problems(w.made(w.wrong(Wavy, grad=w.GRADS["times 1.1"])))


def test_g_in_single_precision_is_compared(problems):
    class Single(w.Observed):
        def lower(self, state, lam):
            return float(np.float32(super().lower(state, lam)))

    assert problems(w.made(Single)) == {}
    assert OF_G in problems(w.made(w.wrong(Single, grad=w.GRADS["one axis"])))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (Test({}), "metrics: expected at least one number by name, got none"),
        (Test({"q": "x"}), "metric 'q': expected a number, got 'x'"),
        (Test({"q": 1.0}, {"q": 3}), "passport 'q': expected a text, got 3"),
    ],
)
def test_a_measurement_that_no_run_could_store_is_found(given, problem, problems):
    found = problems(w.made(w.wrong(w.Plain, test=lambda right, self, s, lam: given)))
    assert found["test gives finite metrics"] == problem
