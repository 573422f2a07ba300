"""Methods that misbehave: each is one failed or finished row, and the run after it is as if nothing had been."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.store import Store
from benchmark.worker import read_spec
from tests.test_cli import environment

BAD = Path(__file__).parent / "bad_methods.py"


def bench(*words, cwd, memory=None, **more):
    def limit():
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, words)],
        cwd=cwd,
        env=environment() | more,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
    )


def run(name, cwd, budget="1s", **kw):
    """The bad method and a good one after it; the bad one's record."""
    done = bench(
        "run", "--plugin", BAD, "--method", f"{name},default", "--task", "quadratic", "--budget", budget, "--grace", "1s",
        "--out", "runs", "--quiet", cwd=cwd, **kw,
    )  # fmt: skip
    assert "Traceback" not in done.stdout, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    found = {r.run["spec"]["method"]: r for r in Store(cwd / "runs")}
    assert found["default"].done
    return done, found[name]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("raises", "RuntimeError: boom"),
        ("garbage", "ValueError: a method yields Proposals, got str"),
        ("nan", "ValueError: a proposal's lam is 2 numbers in [0, 1]"),
        ("hangs_in_native_code", "Killed: it stopped neither at its budget nor within 1 s of SIGTERM"),
        ("exits", "Died: its process ended with exit status 7"),
        ("segfault", "Died: its process was killed by SIGSEGV"),
        ("swallows", "Killed: it stopped neither at its budget"),
    ],
)
def test_a_failed_row(name, error, tmp_path):
    done, found = run(name, tmp_path)
    assert done.returncode == 1
    assert found.run["status"] == "failed"
    assert error in found.run["error"]
    assert f"failed: {name}, seed 0: {error}" in done.stderr
    assert len(found.proposals) >= 1, "what it had proposed is kept"
    again = bench(
        "run", "--plugin", BAD, "--method", name, "--task", "quadratic", "--budget", "1s", "--out", "runs", cwd=tmp_path
    )
    assert again.returncode == 1
    assert "stored already" in again.stderr
    assert "--retry-failed" in again.stderr


def test_retry_failed_runs_it_again(tmp_path):
    _, found = run("raises", tmp_path)
    before = (found.folder / "run.json").stat().st_mtime_ns
    words = ["run", "--plugin", BAD, "--method", "raises", "--task", "quadratic", "--budget", "1s", "--out", "runs"]
    assert bench(*words, cwd=tmp_path).returncode == 1
    assert (found.folder / "run.json").stat().st_mtime_ns == before
    assert bench(*words, "--retry-failed", cwd=tmp_path).returncode == 1
    assert (found.folder / "run.json").stat().st_mtime_ns > before


@pytest.mark.parametrize("name", ["hangs_in_python", "never_yields"])
def test_what_can_still_be_stopped_is_a_finished_row(name, tmp_path):
    done, found = run(name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert found.run["status"] == "budget_exhausted"
    assert found.run["overrun_seconds"] < 1.9
    assert found.run["no_incumbent"] == (name == "never_yields")
    assert len(found.tests) >= 1


def test_a_run_that_was_stopped_from_outside_is_measured_at_leisure(tmp_path):
    """The watchdog leaves it alone once it measures, which may take longer than the grace."""
    (tmp_path / "slow_test.py").write_text(
        BAD.read_text() + "\nimport tasks.quadratic as q\nbefore = q.QuadraticTask.test\n"
        "q.QuadraticTask.test = lambda self, *a: (time.sleep(2.5), before(self, *a))[1]\n"
    )
    done = bench(
        "run", "--plugin", "slow_test.py", "--method", "long_call", "--task", "quadratic", "--budget", "1s", "--grace", "1s",
        "--out", "runs", "--quiet", "--marks=", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert found.run["status"] == "budget_exhausted"
    assert 0.5 < found.run["overrun_seconds"] < 1.9
    assert found.run["ledger"]["report"] > 2.4


def test_memory_that_runs_out_is_a_failed_row(tmp_path):
    done, found = run("allocates", tmp_path, memory=2**31, budget="60s")
    assert done.returncode == 1
    assert "MemoryError" in found.run["error"]


def test_a_child_left_behind_is_stopped(tmp_path):
    done, found = run("leaves_a_child", tmp_path, CHILD_PID=str(tmp_path / "pid"))
    assert found.done, done.stderr
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("it is still alive")


def test_what_a_method_prints_is_not_in_the_table(tmp_path):
    done, _ = run("prints", tmp_path)
    assert "a method that talks" not in done.stdout
    assert done.returncode == 0


def started(cwd, *words, before=()):
    return subprocess.Popen(
        [
            *before,
            sys.executable,
            "-m",
            "benchmark",
            "run",
            "--plugin",
            str(BAD),
            "--task",
            "quadratic",
            "--out",
            "runs",
            *words,
        ],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_proposals(cwd, most=30):
    end = time.monotonic() + most
    while time.monotonic() < end:
        if any(p.stat().st_size for p in cwd.glob("runs/*/*/*/proposals.jsonl")):
            return
        time.sleep(0.05)
    pytest.fail("nothing was proposed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_once_it_stores_and_goes_on_later(number, tmp_path):
    words = ["--method", "slow", "--budget", "300nfe"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "0 of 1 runs are stored; the same command goes on with the others" in said
    assert "Traceback" not in said
    (found,) = Store(tmp_path / "runs")
    assert found.run["status"] == "interrupted"
    assert (found.folder / "states").is_dir()
    done = bench("run", "--plugin", BAD, "--task", "quadratic", "--out", "runs", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert found.done
    assert found.run["resumed"] == 1


def test_stopped_twice_it_stops_at_once(tmp_path):
    process = started(tmp_path, "--method", "hangs_in_native_code", "--budget", "300s")
    wait_for_proposals(tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None, "it waits for the run to store"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "Traceback" not in said
    (found,) = Store(tmp_path / "runs")
    assert found.open


def test_a_run_whose_supervisor_is_gone_ends(tmp_path):
    process = started(tmp_path, "--method", "slow", "--budget", "300s")
    wait_for_proposals(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    (found,) = Store(tmp_path / "runs")
    store = Store(tmp_path / "runs")
    spec = read_spec(found.run["spec"])
    for _ in range(100):
        with store.lock(spec) as lock:
            if lock is not None:
                return
        time.sleep(0.1)
    pytest.fail("the run is still held")


def test_eight_at_once_do_each_run_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    words = ["--method", "counted,grid", "--seeds", "0-4", "--budget", "1500nfe", "--quiet"]
    processes = [started(tmp_path, *words) for _ in range(8)]
    said = [p.communicate(timeout=300) for p in processes]
    assert [p.returncode for p in processes] == [0] * 8, said
    runs = list(Store(tmp_path / "runs"))
    assert len(runs) == 10
    assert all(r.done for r in runs)
    assert (tmp_path / "starts").read_text() == "x" * 5
    assert len({out for out, _ in said}) == 1, "all eight print the same table"
