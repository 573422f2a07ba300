"""Who else is at work on this machine."""

import subprocess
import sys
import time

import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.runs import neighbours
from benchmark.runs.neighbours import Neighbours, workers
from benchmark.runs.runner import run_one
from benchmark.search.clock import Ledger
from benchmark.store.store import Store
from tests.test_budget import FakeClock


def test_a_worker_is_seen_while_it_lives():
    code = "import time; time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-m", "benchmark.runs.worker"], start_new_session=True
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, "benchmark.runs.worker"], start_new_session=True
    )
    try:
        for _ in range(100):
            if process.pid in (seen := workers()):
                break
            time.sleep(0.05)
        assert process.pid in seen
        assert other.pid not in seen
    finally:
        for p in (process, other):
            p.kill()
            p.wait()
    assert process.pid not in workers()


def test_the_most_that_were_seen_count_and_looking_is_charged_to_io(monkeypatch):
    clock = FakeClock()
    seen = iter([{-1, -2}, {-1}, set()])

    def looks():
        clock.now += 2.0
        return next(seen)

    monkeypatch.setattr(neighbours, "workers", looks)
    ledger = Ledger(clock)
    found = Neighbours(ledger, 1)
    with ledger.account("method"):
        found.look()
        found.look()  # too soon
        assert found.most == 3
        found.look(now=True)
        found.look(now=True)
    assert found.most == 3
    assert (ledger.accounts()["io"], ledger.accounts()["method"]) == (6.0, 0.0)


@pytest.mark.parametrize(
    ("alone", "known", "jobs"), [(True, 1, 1), (True, 2, 2), (False, 1, 4), (False, 9, 9)]
)
def test_a_run_stores_how_many_were_at_work(alone, known, jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "workers", lambda: set() if alone else {-1, -2, -3})
    (spec,) = plan("random", "quadratic", budget="100nfe")
    run_one(spec, Store(tmp_path), quiet=True, jobs=known)
    assert Store(tmp_path).find(spec).run["jobs"] == jobs


def test_a_neighbour_that_comes_during_a_search_is_noticed(tmp_path, monkeypatch):
    count = []
    monkeypatch.setattr(neighbours, "_EVERY", 0.0)
    monkeypatch.setattr(neighbours, "_SHARE", 1e9)
    monkeypatch.setattr("benchmark.search.heartbeat._EVERY", 0.0)
    monkeypatch.setattr(
        neighbours, "workers", lambda: (count.append(1), {-1} if len(count) == 5 else set())[1]
    )
    (spec,) = plan("random", "quadratic", budget="100nfe")
    run_one(spec, Store(tmp_path), quiet=True)
    assert len(count) > 6
    assert Store(tmp_path).find(spec).run["jobs"] == 2
