"""Budgets in evaluations have a watchdog too: it waits for oracles, and not for methods that ask
for nothing.
"""

import os
import signal
import time

import psutil
import pytest

from benchmark.runs.neighbours import FORK
from benchmark.store.store import Store
from tests.faults.test_methods import BAD, bench, started, wait_for_proposals

WORDS = ["--budget", "400nfe", "--idle", "1s", "--grace", "1s", "--quiet"]


def run(name, cwd, plugin=BAD, *words):
    """A method and a good one after it; what is stored of both."""
    done = bench(
        "run",
        "--plugin",
        plugin,
        "--method",
        f"{name},default",
        "--task",
        "quadratic",
        "--out",
        "runs",
        "--seeds",
        "0",
        *WORDS,
        *words,
        cwd=cwd,
    )
    assert "Traceback" not in done.stderr, done.stderr
    found = {r.run["spec"]["method"]: r for r in Store(cwd / "runs")}
    return done, found[name], found["default"]


def test_a_method_that_computes_for_ever_ends_with_its_answer_and_the_next_run_goes_on(tmp_path):
    done, found, after = run("hangs_in_python", tmp_path)
    assert done.returncode == 0, done.stderr
    assert found.run["status"] == "budget_exhausted"
    assert found.run["ended_by"] == "guard: 1 s of computing without a request"
    assert found.run["notes"] == [
        "the search was ended by its guard: 1 s of computing without a request"
    ]
    assert found.run["nfe"] == 22
    assert 1.0 <= found.run["ledger"]["method"] < 30
    assert len(found.tests) == 1
    assert after.done


@pytest.mark.parametrize("name", ["hangs_in_native_code", "swallows"])
def test_one_that_cannot_be_stopped_is_killed_and_the_next_run_goes_on(name, tmp_path):
    done, found, after = run(name, tmp_path)
    assert done.returncode == 1
    assert found.run["status"] == "failed"
    assert (
        "Killed: it stopped neither after 1 s without a request nor within 1 s of SIGTERM"
        in found.run["error"]
    )
    assert len(found.proposals) >= 1
    assert after.done


def test_an_oracle_may_take_longer_than_a_method(tmp_path):
    """Three times four seconds, under limits of one and one."""
    plugin = tmp_path / "slow_oracle.py"
    plugin.write_text(
        BAD.read_text() + "\nbefore = QuadraticTask.loss\n"
        "QuadraticTask.loss = lambda self, *a: (time.sleep(4), before(self, *a))[1]\n"
        "@register_method('three')\ndef three(problem, rng):\n    for _ in range(3):\n        "
        "yield good(problem)\n"
    )
    done, found, _ = run("three", tmp_path, plugin)
    assert done.returncode == 0, done.stderr
    assert (found.run["status"], found.run["ended_by"], found.run["nfe"]) == ("ok", "", 64)
    assert found.run["ledger"]["objective"] > 11.9


def worker_of(process):
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.name() == FORK:
            return child.pid
    raise AssertionError("no worker")


def test_sigterm_from_elsewhere_leaves_a_run_that_goes_on(tmp_path):
    words = ["--method", "slow", "--budget", "300nfe", "--quiet"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    os.kill(worker_of(process), signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "1 of 1 runs were cut short; the same command goes on with them" in said
    (found,) = Store(tmp_path / "runs")
    assert found.run["status"] == "interrupted"
    done = bench(
        "run", "--plugin", BAD, "--task", "quadratic", "--out", "runs", *words, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert (found.run["resumed"], found.run["ended_by"], found.run["nfe"]) == (1, "", 300)


def test_two_commands_at_once_are_marked_as_sharing_the_machine(tmp_path):
    """On two folders, of which neither command knows the other's; the first begins alone."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = started(tmp_path / "a", "--method", "slow", "--budget", "8s", "--quiet")
    wait_for_proposals(tmp_path / "a")
    time.sleep(0.5)
    second = started(tmp_path / "b", "--method", "slow", "--budget", "2s", "--quiet")
    for process in (first, second):
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    for name in ("a", "b"):
        (found,) = Store(tmp_path / name / "runs")
        assert found.run["jobs"] >= 2
        assert found.run["search_seconds"] < 12, "looking for others is not charged to the budget"
