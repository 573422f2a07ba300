"""Limits beside a budget: reached, recorded, and the same for a run that was resumed."""

import time

import numpy as np
import pytest

from benchmark import Proposal, fit
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS, Entry
from benchmark.runs.interrupts import Terminated
from benchmark.runs.runner import run_one
from benchmark.search.guard import Guard
from benchmark.search.heartbeat import Heartbeat
from benchmark.store.checkpoints import Checkpoints
from benchmark.store.journal import CALLS, Line
from benchmark.store.store import Store
from tests.made import told
from tests.test_resume import Killed, cut_short, numbers
from tests.toys import toys  # noqa: F401

pytestmark = pytest.mark.usefixtures("toys")


def spec_of(method, monkeypatch, task="free", budget="100nfe", **options):
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "mine", Entry("mine", "test", lambda: method))
    (spec,) = plan("mine", task, budget=budget, marks=[], **options)
    return spec


def searches(problem, rng):
    best = np.inf
    while True:
        found = fit(problem, rng.random(2), 0)
        if found.loss < best:
            best = found.loss
            yield found


def collects(problem, rng):
    lam = np.full(2, 0.5)
    kept = [problem.init(0)]
    yield Proposal(lam, kept[0])
    while True:
        kept.append(problem.step(kept[-1], lam))


def swallows(problem, rng):
    yield fit(problem, np.full(2, 0.5), 0)
    state = problem.init(0)
    for _ in range(200):
        try:
            problem.step(state, np.full(2, 0.5))
        except BaseException:
            continue


def run(spec, root, **limits):
    store = Store(root)
    status = run_one(spec, store, quiet=True, guard=Guard(**limits))
    return status, store.find(spec)


def test_the_limits():
    assert Guard() == Guard(
        requests=20_000, idle=600.0, journal=512 * 2**20, states=10_000, disk=4 * 2**30
    )


CASES = [
    (searches, {"requests": 200}, "guard: 200 requests in a row without a network evaluation", 201),
    (collects, {"states": 40}, "guard: 40 states in use", 40),
    (searches, {"journal": 30_000}, "guard: a journal of 30000 bytes", None),
    (swallows, {"requests": 50}, "guard: 50 requests in a row without a network evaluation", 51),
]


@pytest.mark.parametrize(("method", "limits", "why", "calls"), CASES)
def test_a_limit_ends_the_search_with_its_answer(method, limits, why, calls, tmp_path, monkeypatch):
    status, found = run(spec_of(method, monkeypatch), tmp_path, **limits)
    assert status == "budget_exhausted"
    assert found.run["ended_by"] == why
    assert told(found.run) == [f"the search was ended by its {why}"]
    assert found.run["nfe"] == 1
    assert calls in (None, found.run["oracle_calls"])
    assert len(found.tests) == 1
    assert found.tests[0]["nfe"] == found.proposals[-1]["nfe"]


@pytest.mark.parametrize("share", [0.3, 0.999])
@pytest.mark.parametrize(("method", "limits", "why", "calls"), CASES[:3])
def test_a_resumed_run_ends_at_the_same_request(
    method, limits, why, calls, share, tmp_path, monkeypatch
):
    spec = spec_of(method, monkeypatch)
    if (
        "journal" in limits
    ):  # its lines hold seconds, so that two runs of the same method differ in length
        monkeypatch.setattr(
            "benchmark.store.journal.Line.text", lambda self, text=Line.text: f"{text(self):<300}"
        )
    _, whole = run(spec, tmp_path / "whole", **limits)
    cut = Store(tmp_path / "cut")
    cut_short(spec, cut, monkeypatch, int(whole.run["oracle_calls"] * share))
    _, found = run(spec, tmp_path / "cut", **limits)
    assert found.run["resumed"] == 1
    assert numbers(found) == numbers(whole)
    assert found.run["oracle_calls"] == whole.run["oracle_calls"]
    assert found.run["ended_by"] == why


def test_evaluations_begin_the_count_anew_and_an_ordinary_end_is_no_guard(tmp_path, monkeypatch):
    status, found = run(spec_of(searches, monkeypatch, task="quadratic"), tmp_path, requests=2)
    assert status == "budget_exhausted"
    assert (found.run["nfe"], found.run["ended_by"], told(found.run)) == (100, "", [])


def test_states_that_were_let_go_do_not_count(tmp_path, monkeypatch):
    _, found = run(
        spec_of(searches, monkeypatch, task="quadratic", budget="500nfe"), tmp_path, states=8
    )
    assert found.run["ended_by"] == ""
    assert found.run["nfe"] == 500


def test_states_on_the_disk_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", 0.0)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    sizes = []
    before = Checkpoints.save

    def save(self, *args):
        before(self, *args)
        files = [p.stat().st_size for p in self.folder.glob("*.safetensors")]
        sizes.append((sum(files), max(files, default=0)))
        assert self.size == sum(files)

    monkeypatch.setattr(Checkpoints, "save", save)
    _, found = run(spec_of(collects, monkeypatch), tmp_path, disk=3000)
    assert found.run["ended_by"] == "guard: 3000 bytes of checkpoints"
    assert 3000 <= sizes[-1][0] < 3000 + sizes[-1][1]
    assert len(found.tests) == 1


def thinks(now, seconds):
    def method(problem, rng):
        yield fit(problem, np.full(2, 0.5), 0)
        now[0] += seconds
        problem.loss(problem.init(0), np.full(2, 0.5))

    return method


@pytest.mark.parametrize(
    ("seconds", "budget", "ended_by"),
    [
        (599, "100nfe", ""),
        (601, "100nfe", "guard: 600 s of computing without a request"),
        (601, "1h", ""),
    ],
)
def test_a_method_may_compute_for_so_long_where_seconds_do_not_count(
    seconds, budget, ended_by, tmp_path, monkeypatch
):
    now = [0.0]
    spec = spec_of(thinks(now, seconds), monkeypatch, task="quadratic", budget=budget)
    store = Store(tmp_path)
    run_one(spec, store, quiet=True, clock=lambda: now[0])
    found = store.find(spec)
    assert found.run["ended_by"] == ended_by
    assert found.run["nfe"] == (22 if ended_by else 23)
    assert len(found.tests) == 1


@pytest.mark.parametrize("seconds", [599, 601])
def test_sigterm_ends_the_search_of_a_method_that_was_idle_and_interrupts_any_other(
    seconds, tmp_path, monkeypatch
):
    """The same signal, from the watchdog or from elsewhere."""
    now = [0.0]

    def stopped(problem, rng):
        yield fit(problem, np.full(2, 0.5), 0)
        now[0] += seconds
        raise Terminated

    spec, store = spec_of(stopped, monkeypatch, task="quadratic"), Store(tmp_path)
    if seconds < 600:
        with pytest.raises(KeyboardInterrupt):
            run_one(spec, store, quiet=True, clock=lambda: now[0])
        assert store.find(spec).run["status"] == "interrupted"
        return
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmark.runs.runner.ActiveRun._measure", lambda *a: (_ for _ in ()).throw(Killed())
        )
        with pytest.raises(Killed):
            run_one(spec, store, quiet=True, clock=lambda: now[0])
    assert '["end"]' in (store.folder(spec) / CALLS).read_text()
    seconds = 0  # on the replay SIGTERM may come sooner: it is known there that the search was over
    assert run_one(spec, store, quiet=True, clock=lambda: now[0]) == "budget_exhausted"
    found = store.find(spec)
    assert found.run["resumed"] == 1
    assert found.run["ended_by"] == "guard: 600 s of computing without a request"
    assert len(found.tests) == 1


def test_the_heartbeat_tells_what_is_left(monkeypatch):
    monkeypatch.setattr("benchmark.search.heartbeat._EVERY", 0.01)
    computing, over, told = [0.0], [False], []
    heartbeat = Heartbeat(lambda: computing[0], lambda: over[0], 10.0, told.append)
    assert heartbeat.left() == 10.0
    computing[0] = 4.0
    assert heartbeat.left() == 6.0
    over[0] = True  # then nothing is charged to the method, and its own clock counts
    assert 9.0 < heartbeat.left() <= 10.0
    assert heartbeat.left() < 10.0
    over[0], computing[0] = False, 11.0
    with heartbeat:
        time.sleep(0.2)
        assert told == [10.0], "past the end nothing is told that would put it off"
        computing[0] = 1.0
        time.sleep(0.2)
    assert set(told[1:]) == {9.0}
    assert not heartbeat._thread.is_alive(), "nothing is told of a search once it is over"
