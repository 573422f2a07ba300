"""Real SIGSTOP and SIGCONT: the time that a run stood still is nobody's, and nobody is killed for
it.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmark.report.verify import verify
from benchmark.store.store import Store
from tests.faults.test_idle import worker_of
from tests.faults.test_methods import BAD, bench, started, wait_for_proposals
from tests.test_cli import environment

STOOD = 4.0


def stop(pids, seconds=STOOD):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


def ended(process, cwd, status=0):
    _, said = process.communicate(timeout=120)
    assert process.returncode == status, said
    assert "Traceback" not in said
    (found,) = Store(cwd / "runs")
    return found.run, said


def charged(run, least=STOOD - 0.8):
    """What a run that stood still has in its accounts."""
    assert run["status"] == "budget_exhausted"
    assert least < run["ledger"]["paused"] < STOOD + 1.0
    assert run["overrun_seconds"] < 1.0
    assert 2.9 < run["search_seconds"] < 4.0
    assert sum(run["ledger"].values()) == pytest.approx(run["wall_seconds"], abs=1e-6)
    (note,) = [n for n in run["notes"] if "stood still" in n]
    assert "charged to paused" in note


@pytest.mark.parametrize("whom", ["both", "worker", "supervisor"])
def test_stopped_in_the_middle_of_a_search(whom, tmp_path):
    """Longer than the budget that was left and the grace."""
    process = started(tmp_path, "--method", "slow", "--budget", "3s", "--grace", "1s", "--quiet")
    wait_for_proposals(tmp_path)
    pids = {
        "both": [process.pid, worker_of(process)],
        "worker": [worker_of(process)],
        "supervisor": [process.pid],
    }[whom]
    stop(pids)
    run, said = ended(process, tmp_path)
    if whom == "supervisor":
        assert run["notes"] == []
        assert run["ledger"]["paused"] == 0
    else:
        charged(run)
        assert run["nfe"] > 22 * 3.0 / 0.05 * 0.3, "it had its whole budget"
    assert ("was stopped from outside" in said) == (whom == "worker")
    assert [problem for _, problem in verify(tmp_path / "runs") if problem] == []


def test_stopped_in_this_process(tmp_path):
    process = started(tmp_path, "--method", "slow", "--budget", "3s", "--quiet", "--in-process")
    wait_for_proposals(tmp_path)
    stop([process.pid])
    charged(ended(process, tmp_path)[0])


@pytest.mark.parametrize("name", ["slow", "hangs_in_python"])
def test_the_guard_of_an_idle_method_does_not_count_it(name, tmp_path):
    """Budgets in evaluations: the idle time is of the method's own computing."""
    words = ["--method", name, "--budget", "1500nfe", "--idle", "2s", "--grace", "1s", "--quiet"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    stop([worker_of(process)])
    run, _ = ended(process, tmp_path)
    assert run["ledger"]["paused"] > STOOD - 0.8
    assert run["ended_by"] == (
        "guard: 2 s of computing without a request" if name == "hangs_in_python" else ""
    )
    if name == "hangs_in_python":
        assert 1.9 < run["ledger"]["method"] < 4.0


def test_a_stopped_run_is_replayed_as_any_other(tmp_path):
    """Cut short after it stood still: what it did and what it had spent then come back, and what it
    stood still stays paused.
    """
    words = ["--method", "slow", "--budget", "600nfe", "--quiet"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    stop([worker_of(process)])
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    run, _ = ended(process, tmp_path, 130)
    assert run["ledger"]["paused"] > STOOD - 0.8
    done = bench(
        "run", "--plugin", BAD, "--task", "quadratic", "--out", "runs", *words, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert (found.run["resumed"], found.run["nfe"]) == (1, 600)
    assert found.run["ledger"]["paused"] > STOOD - 0.8
    assert found.run["search_seconds"] < 3
    assert any("stood still" in n for n in found.run["notes"])


HOLDS = """
import ctypes, time
from benchmark import fit, register_method
@register_method("holds")
def holds(problem, rng):
    found = fit(problem, problem.space.default(), 0)
    yield found
    {body}
    yield fit(problem, problem.space.default(), 0)
"""


@pytest.mark.parametrize(
    "body",
    [
        "import collections, itertools; collections.deque(itertools.repeat(0, 2_000_000_000), "
        "maxlen=0)",
        "ctypes.PyDLL(None).usleep(2_500_000)",
    ],
    ids=["working", "waiting"],
)
def test_native_code_that_holds_the_interpreter_is_the_methods_time(body, tmp_path):
    (tmp_path / "holds.py").write_text(HOLDS.replace("{body}", body))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmark",
            "run",
            "--plugin",
            "holds.py",
            "--method",
            "holds",
            "--task",
            "quadratic",
            "--budget",
            "30s",
            "--out",
            "runs",
            "--quiet",
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert found.run["ledger"]["method"] > 1.3, "else this tests nothing"
    assert found.run["ledger"]["paused"] == 0
    assert found.run["notes"] == []
