"""A run that was cut short goes on where it was, and ends as if nothing had happened."""

import json
import logging
import os
import signal
import time
from contextlib import suppress

import numpy as np
import pytest

from benchmark import fit
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import StorageError
from benchmark.registry import METHODS, Entry
from benchmark.runs.progress import Progress
from benchmark.runs.runner import run_one
from benchmark.store.checkpoints import STATES
from benchmark.store.journal import CALLS, read_lines
from benchmark.store.store import Store
from methods import TABLE
from tasks.noise_schedule import NoiseSchedule
from tasks.quadratic import QuadraticTask
from tasks.reward_ft import RewardFt, shipped
from tests.made import told


class Killed(BaseException):
    """The process is gone: nobody catches this."""


def cut_short(spec, store, monkeypatch, after):
    """Run until so many requests have been answered."""
    count = 0

    def spent(self, amount):
        nonlocal count
        count += 1
        if count >= after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "spent", spent)
        with pytest.raises(Killed):
            run_one(spec, store, quiet=True)


def numbers(run):
    """All that must not depend on whether a run was interrupted."""
    proposals = [(p["nfe"], p["lam"], p["loss"]) for p in run.proposals]
    return (
        proposals,
        [(t["nfe"], t["lam"], t["metrics"]) for t in run.tests],
        [(t["nfe"], t["lam"], t["loss"], t["steps"], t["seed"]) for t in run.trials],
        run.run["nfe"],
        run.run["status"],
    )


def both_ways(spec, tmp_path, monkeypatch, share, tear=True):
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run_one(spec, whole, quiet=True)
    calls = whole.find(spec).run["oracle_calls"]
    cut_short(spec, cut, monkeypatch, max(1, int(calls * share)))
    assert cut.find(spec).open
    path = cut.folder(spec) / CALLS
    if tear:
        path.write_bytes(path.read_bytes() + b'{"ask": ["step", 3, [0.1')
    before = len(read_lines(path))
    run_one(spec, cut, quiet=True)
    found = cut.find(spec)
    assert numbers(found) == numbers(whole.find(spec))
    assert found.run["resumed"] == int(before > 0)
    assert sum(found.run["ledger"].values()) == pytest.approx(found.run["wall_seconds"], rel=0.01)
    assert not (cut.folder(spec) / CALLS).exists()
    assert not (cut.folder(spec) / STATES).exists()
    return found


METHODS_IN_ORDER = sorted(TABLE)


@pytest.mark.parametrize(
    "kept", [0.0, 1e9], ids=["states kept at each request", "states computed again"]
)
@pytest.mark.parametrize("task", ["quadratic", "tilted"])
@pytest.mark.parametrize("method", METHODS_IN_ORDER)
def test_on_the_toys(method, task, kept, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", kept)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    # a Gaussian process takes most of its time for the last of 75 points of a toy of one axis
    slow = (method, task) == ("bayesian", "tilted")
    (spec,) = plan(method, task, budget="60nfe" if slow else "150nfe")
    # another moment for each of a method's four searches
    seed = METHODS_IN_ORDER.index(method) * 4 + 2 * (task == "tilted") + (kept > 0)
    share = np.random.default_rng(seed).random()
    both_ways(spec, tmp_path, monkeypatch, share)


SMALL = {
    "noise_schedule": [f"noise_schedule.{k}={v}" for k, v in NoiseSchedule.smallest.items()],
    "reward_ft": [f"reward_ft.{k}={v}" for k, v in RewardFt.smallest.items()],
}
BUDGET = {"noise_schedule": "6000nfe", "reward_ft": "900nfe"}


@pytest.mark.parametrize(
    "kept", [0.0, 1e9], ids=["states kept at each request", "states computed again"]
)
@pytest.mark.parametrize(
    ("task", "method", "lower"),
    [
        ("noise_schedule", "bilevel", None),
        ("noise_schedule", "random", None),
        ("reward_ft", "bilevel", None),
        ("reward_ft", "bayesian", "importance"),
    ],
)
def test_on_the_real_tasks(task, method, lower, kept, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", kept)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    prompts = [shipped.PROMPTS[0]] if task == "reward_ft" else []
    (spec,) = plan(
        method, task, lower=lower, budget=BUDGET[task], settings=SMALL[task], prompts=prompts
    )
    found = both_ways(spec, tmp_path, monkeypatch, 0.6)
    assert len(found.proposals) > 1


def test_it_can_be_cut_short_again_and_while_it_is_measured(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic", budget="200nfe")
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run_one(spec, whole, quiet=True)
    for after in (60, 60):  # the second counts its own requests alone
        cut_short(spec, cut, monkeypatch, after)
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmark.runs.runner.ActiveRun._measure", lambda *a: (_ for _ in ()).throw(Killed())
        )
        with pytest.raises(Killed):
            run_one(spec, cut, quiet=True)
    assert cut.find(spec).open
    run_one(spec, cut, quiet=True)
    assert numbers(cut.find(spec)) == numbers(whole.find(spec))
    assert cut.find(spec).run["resumed"] == 3


def test_a_late_proposal_does_not_count_after_all(tmp_path, monkeypatch):
    now = [0.0]

    def slow(problem, rng):
        for k in range(3):
            found = fit(problem, np.full(2, 0.3), 0)
            now[0] += 4.0 * k
            yield found

    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "slow", Entry("slow", "test", lambda: slow))
    (spec,) = plan("slow", "quadratic", budget="7s", marks=[])
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmark.runs.runner.ActiveRun._measure", lambda *a: (_ for _ in ()).throw(Killed())
        )
        with pytest.raises(Killed):
            run_one(spec, store, quiet=True, clock=lambda: now[0])
    assert run_one(spec, store, quiet=True, clock=lambda: now[0]) == "budget_exhausted"
    assert [p["seconds"] for p in store.find(spec).proposals] == [0.0, 4.0]


def test_the_budget_goes_on_and_downtime_is_paused(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic", budget="1h", settings=["random.trials=2000"])
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 200)
    folder = store.folder(spec)
    lines = read_lines(folder / CALLS)
    earlier = lines[-1].accounts
    then = time.time() - 500
    os.utime(folder / CALLS, (then, then))
    monkeypatch.setattr("benchmark.runs.runner.time.time", lambda: then + 500)
    run_one(spec, store, quiet=True)
    found = store.find(spec)
    assert found.run["ledger"]["setup"] == pytest.approx(earlier["setup"])
    assert 500 <= found.run["ledger"]["paused"] < 510
    assert found.run["search_seconds"] > earlier["method"] + earlier["objective"]
    assert found.run["search_seconds"] < 400
    assert [p["nfe"] for p in found.proposals] == sorted(p["nfe"] for p in found.proposals)


def test_a_calendar_that_goes_back_costs_nothing(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic", budget="300nfe")
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 100)
    monkeypatch.setattr("benchmark.runs.runner.time.time", lambda: 1e6)
    run_one(spec, store, quiet=True)
    found = store.find(spec)
    assert found.done
    assert 0 <= found.run["ledger"]["paused"] < 5


def test_hidden_randomness_is_named(tmp_path, monkeypatch):
    draws = np.random.default_rng(7)

    def hidden(problem, rng):
        for _ in range(100):
            yield fit(problem, draws.random(2), 0)

    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "hidden", Entry("hidden", "test", lambda: hidden))
    (spec,) = plan("hidden", "quadratic", budget="300nfe")
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 100)
    assert run_one(spec, store, quiet=True) == "failed"
    error = store.find(spec).run["error"]
    assert "request 2 was step(0, [" in error
    assert "--retry-failed" in error


def test_what_an_oracle_raised_is_raised_again(tmp_path, monkeypatch):
    def catches(problem, rng):
        for _ in range(100):
            try:
                yield fit(problem, rng.random(2), 0)
            except ValueError as error:
                assert "no luck" in str(error)  # noqa: PT017

    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "catches", Entry("catches", "test", lambda: catches))
    before = QuadraticTask.loss
    monkeypatch.setattr(
        QuadraticTask,
        "loss",
        lambda self, state, lam: before(self, state, lam) if lam[0] < 0.5 else no_luck(),
    )
    (spec,) = plan("catches", "quadratic", budget="400nfe")
    both_ways(spec, tmp_path, monkeypatch, 0.7)


def no_luck():
    raise ValueError("no luck")


def test_a_search_that_swallows_errors_does_not_swallow_a_replay_that_differs(
    tmp_path, monkeypatch
):
    draws = np.random.default_rng(7)

    def tolerant(problem, rng):
        while True:
            try:
                yield fit(problem, draws.random(2), 0)
            except Exception:
                continue

    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "tolerant", Entry("tolerant", "test", lambda: tolerant))
    (spec,) = plan("tolerant", "quadratic", budget="300nfe")
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 100)
    assert run_one(spec, store, quiet=True) == "failed"
    assert "ReplayError: request 2" in store.find(spec).run["error"]


def test_a_replay_that_is_cut_short_keeps_states_and_downtime(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", 0.0)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    (spec,) = plan("random", "quadratic", budget="400nfe")
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 150)
    folder = store.folder(spec)
    states = sorted(p.name for p in (folder / STATES).iterdir())
    then = time.time() - 1000
    os.utime(folder / CALLS, (then, then))
    with monkeypatch.context() as patch:

        def stop(self, ask):
            raise KeyboardInterrupt

        patch.setattr("benchmark.store.journal.Journal.replay", stop)
        patch.setattr("benchmark.runs.interrupts.Interrupts.came", True)  # it is the user's
        with pytest.raises(KeyboardInterrupt):
            run_one(spec, store, quiet=True)
    assert sorted(p.name for p in (folder / STATES).iterdir()) == states
    run_one(spec, store, quiet=True)
    assert store.find(spec).run["ledger"]["paused"] > 999


def test_notes_are_kept(tmp_path, monkeypatch):
    before = QuadraticTask.init

    def warns(self, seed):
        logging.getLogger("benchmark").warning("weights\ncollapse")
        return before(self, seed)

    (spec,) = plan("bilevel", "quadratic", budget="300nfe")
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(QuadraticTask, "init", warns)
        with patch.context() as inner:
            inner.setattr(
                "benchmark.runs.runner.ActiveRun._measure",
                lambda *a: (_ for _ in ()).throw(KeyboardInterrupt()),
            )
            inner.setattr("benchmark.runs.interrupts.Interrupts.came", True)
            with pytest.raises(KeyboardInterrupt):
                run_one(spec, store, quiet=True)
    run_one(spec, store, quiet=True)
    assert told(store.find(spec).run) == ["weights collapse"]


def test_a_link_in_a_folder_from_elsewhere_leads_nowhere(tmp_path, monkeypatch):
    (spec,) = plan("random", "quadratic", budget="300nfe")
    store, precious = Store(tmp_path / "runs"), tmp_path / "precious"
    cut_short(spec, store, monkeypatch, 50)
    precious.write_text("mine")
    for name in ("proposals.jsonl", CALLS):
        (store.folder(spec) / name).unlink()
        (store.folder(spec) / name).symlink_to(precious)
    with pytest.raises(StorageError):
        run_one(spec, store, quiet=True)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00\xff" * 40,
        b"{}\n",
        b'{"ask": [], "gave": 1}\n',
        b"[" * 100000 + b"\n",
        b'{"ask": ["loss", 0, [0.1], 0.0], "gave": 1, "nfe": 1e400, '
        b'"seconds": [0, 0, 0, 0, 0, 0, 0]}\n',
        b'{"ask": ["init", 4], "gave": [], "nfe": 900, "seconds": [9, 9, 9, 9, 9, 9, 9]}\n',
        b'{"ask": ["init", 4], "gave": 2, "nfe": 0, "seconds": [9, 9, 9, 9, 9, 9, 9]}\n',
    ],
)
def test_a_damaged_journal_is_a_shorter_one(damage, tmp_path, monkeypatch):
    (spec,) = plan("bilevel", "quadratic", budget="300nfe")
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run_one(spec, whole, quiet=True)
    cut_short(spec, cut, monkeypatch, 100)
    path = cut.folder(spec) / CALLS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:40]) + damage)
    run_one(spec, cut, quiet=True)
    assert numbers(cut.find(spec)) == numbers(whole.find(spec))


def test_a_journal_that_is_too_long_to_be_read_back_is_said(tmp_path, monkeypatch, capsys):
    (spec,) = plan("bilevel", "quadratic", budget="300nfe")
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run_one(spec, whole, quiet=True)
    cut_short(spec, cut, monkeypatch, 200)
    size = (cut.folder(spec) / CALLS).stat().st_size
    monkeypatch.setattr("benchmark.store.journal._LIMIT", size - 1)
    run_one(spec, cut, quiet=True)
    found = cut.find(spec)
    said = (
        f"its journal of {size} bytes is larger than the {size - 1} that are read back, so the "
        "run was begun anew"
    )
    assert told(found.run) == [said]
    assert said in capsys.readouterr().err
    assert found.run["resumed"] == 0
    assert numbers(found) == numbers(whole.find(spec))


def test_a_damaged_state_is_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", 0.0)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    (spec,) = plan("bilevel", "quadratic", budget="300nfe")
    whole, cut = Store(tmp_path / "whole"), Store(tmp_path / "cut")
    run_one(spec, whole, quiet=True)
    cut_short(spec, cut, monkeypatch, 150)
    states = sorted((cut.folder(spec) / STATES).glob("*.safetensors"))
    assert states
    for path in states:
        path.write_bytes(b"nothing of the kind")
    run_one(spec, cut, quiet=True)
    assert numbers(cut.find(spec)) == numbers(whole.find(spec))


def test_no_more_states_are_held_than_are_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", 0.0)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    (spec,) = plan("random", "quadratic", budget="300nfe", marks=[])
    store = Store(tmp_path)
    cut_short(spec, store, monkeypatch, 250)
    assert len(list((store.folder(spec) / STATES).iterdir())) <= 5


@pytest.mark.parametrize("method", sorted(TABLE))
@pytest.mark.parametrize("task", ["quadratic", "noise_schedule"])
def test_nothing_that_a_method_sees_depends_on_what_is_reported(
    method, task, tmp_path, monkeypatch
):
    """The same seed with marks, measurement, progress and states kept, and without any of them."""
    settings = SMALL.get(task, [])
    budget = "150nfe" if task == "quadratic" else "6000nfe"
    (loud,) = plan(method, task, budget=budget, settings=settings)
    (still,) = plan(method, task, budget=budget, settings=settings, marks=[])
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.store.checkpoints._EVERY", 0.0)
        run_one(loud, Store(tmp_path / "loud"))
    one = Store(tmp_path / "loud").find(loud)
    store = Store(tmp_path / "still")
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmark.runs.runner.ActiveRun._measure", lambda *a: (_ for _ in ()).throw(Killed())
        )
        with pytest.raises(Killed):
            run_one(still, store, quiet=True)
    lines = (store.folder(still) / "proposals.jsonl").read_text().splitlines()
    other = [json.loads(line) for line in lines]
    assert [(p["nfe"], p["lam"], float(p["loss"])) for p in one.proposals] == [
        (p["nfe"], p["lam"], float(p["loss"])) for p in other
    ]
    assert one.proposals


@pytest.mark.parametrize("where", ["warm_up", "init", "step"])
def test_a_ctrl_c_that_a_library_swallows_ends_the_run_all_the_same(
    where, tmp_path, monkeypatch, request
):
    """As C code may, which clears whatever error it meets."""
    before, sent = getattr(QuadraticTask, where), []

    def swallows(self, *arguments):
        if not sent:
            sent.append(where)
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return before(self, *arguments)

    monkeypatch.setattr("benchmark.search.heartbeat._EVERY", 0.0)
    (spec,) = plan("random", "quadratic", budget="400nfe")
    store = Store(tmp_path)
    # a shell's background job would ignore it
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, earlier))
    with monkeypatch.context() as patch:
        patch.setattr(QuadraticTask, where, swallows)
        with pytest.raises(KeyboardInterrupt):
            run_one(spec, store, quiet=True)
    assert sent
    assert store.find(spec).open
    assert run_one(spec, store, quiet=True) == "budget_exhausted"
