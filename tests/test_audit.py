"""A method that falsifies its counts is a failed run, and an honest one is none."""

import numpy as np
import pytest

from benchmark import Proposal, fit
from benchmark.budget import Budget
from benchmark.search.audit import Audit, AuditError, balanced
from benchmark.search.clock import Ledger
from benchmark.search.facade import Handle, facade
from benchmark.search.metered import Metered
from tasks.quadratic import Quadratic
from tests.test_budget import FakeClock
from tests.test_runner import go

HONEST = 0.4004  # F of the default, after one fit of 22 evaluations


def dig(problem):
    """The meter, out of a closure's cell: no attribute leads there, and only a process boundary
    would close this way.
    """
    return problem.loss.__closure__[0].cell_contents


def honest(problem, rng):
    yield fit(problem, problem.space.default(), 0)


def measures(problem, rng):
    """Chooses by the held-out measurement."""
    found = fit(problem, problem.space.default(), 0)
    task, state = dig(problem)._task, dig(problem).states.inside(found.state)
    best = min(
        (rng.random(2) for _ in range(300)),
        key=lambda lam: task.test(state, lam).metrics["objective"],
    )
    yield Proposal(best, found.state)


def evaluates(problem, rng):
    """300 evaluations on the task itself."""
    yield fit(problem, problem.space.default(), 0)
    best = min((fit(dig(problem)._task, rng.random(2), 0) for _ in range(14)), key=lambda p: p.loss)
    yield Proposal(best.lam, problem.init(0), best.loss)


def resets(problem, rng):
    best = np.inf
    for _ in range(100):
        found = fit(problem, rng.random(2), 0)
        if found.loss < best:
            best = found.loss
            yield found
        dig(problem).meter.nfe = 0


def turns_back(problem, rng):
    """Takes the task's own counter back as well."""
    for _ in range(100):
        yield fit(problem, rng.random(2), 0)
        dig(problem)._task.nfe -= 21


def swallows(problem, rng):
    yield fit(problem, problem.space.default(), 0)
    dig(problem)._task.nfe += 1
    for _ in range(3):
        try:
            problem.init(7)
        except BaseException:
            dig(problem)._task.nfe -= 1


def slows_the_clock(problem, rng):
    yield fit(problem, problem.space.default(), 0)
    dig(problem)._ledger._accounts["setup"] += 5.0


def test_an_honest_method_is_shown_with_its_evaluations(tmp_path, monkeypatch):
    status, found = go(tmp_path, honest, monkeypatch)
    assert status == "ok"
    assert found.run["nfe"] == 22
    assert found.tests[-1]["metrics"]["objective"] == pytest.approx(HONEST, abs=5e-4)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (measures, "the task counted 322 network evaluations, the meter 22 of 22"),
        (evaluates, "the task counted 330 network evaluations, the meter 22 of 22"),
        (resets, "the task counted 22 network evaluations, the meter 0 of 22"),
        (turns_back, "the task counted 1 network evaluations, the meter 22 of 22"),
        (swallows, "the task counted 23 network evaluations, the meter 22 of 22"),
        (slows_the_clock, "the accounts sum to "),
    ],
)
def test_a_cooked_run_fails_and_says_both_numbers(method, message, tmp_path, monkeypatch):
    status, found = go(tmp_path, method, monkeypatch, budget="400nfe")
    assert status == found.run["status"] == "failed"
    assert found.run["error"].startswith("AuditError: ")
    assert message in found.run["error"]
    assert found.tests == []


@pytest.mark.parametrize(
    "trick",
    [
        lambda p: p._task,
        lambda p: setattr(p, "nfe", 0),
        lambda p: setattr(p, "loss", lambda *a: 0.0),
        lambda p: p.init(0).inside,
        lambda p: setattr(p.init(0), "number", 3),
    ],
)
def test_what_the_audit_did_finds_nothing(trick, tmp_path, monkeypatch):
    def method(problem, rng):
        yield fit(problem, np.zeros(2), 0)
        yield trick(problem)

    status, found = go(tmp_path, method, monkeypatch)
    assert status == "failed"
    assert "Error: " in found.run["error"]
    assert "yields Proposals" not in found.run["error"]


def metered():
    return Metered(Quadratic().open(0, "", "", "cpu"), Budget(50, "nfe"), Ledger(FakeClock()))


def test_a_facade_has_twelve_names_and_no_bound_method():
    problem = facade(metered())
    names = {n for n in dir(problem) if not n.startswith("__")}
    oracles = {"init", "step", "loss", "grad", "remaining", "step_many", "loss_many"}
    assert names == {"space", "horizon", "budget", "prices", "batch"} | oracles
    assert not hasattr(problem, "__dict__")
    for name in oracles:
        assert not hasattr(getattr(problem, name), "__self__")
    assert {n for n in dir(problem.init(0)) if not n.startswith("__")} == {"number"}


def test_a_handle_cannot_be_forged():
    problem = facade(metered())
    number = problem.init(0).number
    with pytest.raises(TypeError, match="got one that it made"):
        problem.loss(Handle(number), np.zeros(2))


def test_a_state_keeps_the_lam_that_it_was_given(monkeypatch):
    task = Quadratic().open(0, "", "", "cpu")
    kept = []
    before = task.step
    monkeypatch.setattr(
        task, "step", lambda s, lam, tilt: (kept.append(lam), before(s, lam, tilt))[1]
    )
    problem = facade(Metered(task, Budget(50, "nfe"), Ledger(FakeClock())))
    lam = np.full(2, 0.5)
    problem.step(problem.init(0), lam)
    lam[:] = 0.0
    assert list(kept[0]) == [0.5, 0.5]


def test_the_harness_may_evaluate_and_nobody_else():
    task = Quadratic().open(0, "", "", "cpu")
    task.init(0)  # such as a warm-up
    audit = Audit(task)
    with audit.own():
        task.init(0)
    audit.check(0)
    task.init(0)
    audit.request(1)
    audit.check(1)
    audit.replayed(30)
    audit.check(30)
    with pytest.raises(AuditError, match="back by 2"):
        audit.request(-2)


@pytest.mark.parametrize(
    ("seconds", "wall", "good"),
    [
        (0.0, 0.009, True),
        (0.0, 0.011, False),
        (99.1, 100.0, True),
        (98.9, 100.0, False),
        (101.1, 100.0, False),
    ],
)
def test_accounts_may_miss_the_clock_by_a_hundredth_or_ten_milliseconds(seconds, wall, good):
    if good:
        balanced({"method": seconds}, wall)
    else:
        with pytest.raises(
            AuditError, match=f"sum to {seconds:.3f} s, the clock says {wall:.3f} s"
        ):
            balanced({"method": seconds}, wall)


def test_what_a_replay_charges_is_paused():
    """Else a run that writes while it is replayed would miss that time in its accounts."""
    clock = FakeClock()
    ledger = Ledger(clock, "paused", 3.0)
    for k in (1.0, 2.0):
        with ledger.account("io"):
            clock.now += 0.5
        ledger.restore(dict.fromkeys(ledger.accounts(), 0.0) | {"method": k})
    accounts = ledger.accounts()
    assert (accounts["paused"], accounts["io"], accounts["method"]) == (4.0, 0.0, 2.0)
