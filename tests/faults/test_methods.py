"""Methods that misbehave: each is one failed or finished row, and the run after it is as if nothing
had been.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.spec import read_spec
from benchmark.store.store import Store
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


def run(name, cwd, budget="2s", **kw):
    """The bad method and a good one after it; the bad one's record."""
    done = bench(
        "run",
        "--plugin",
        BAD,
        "--method",
        f"{name},default",
        "--task",
        "quadratic",
        "--budget",
        budget,
        "--grace",
        "1s",
        "--out",
        "runs",
        "--quiet",
        cwd=cwd,
        **kw,
    )
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
        (
            "hangs_in_native_code",
            "Killed: it stopped neither at its budget nor within 1 s of SIGTERM",
        ),
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
        "run",
        "--plugin",
        BAD,
        "--method",
        name,
        "--task",
        "quadratic",
        "--budget",
        "2s",
        "--out",
        "runs",
        cwd=tmp_path,
    )
    assert again.returncode == 1
    assert "stored already" in again.stderr
    assert "--retry-failed" in again.stderr


def test_retry_failed_runs_it_again(tmp_path):
    _, found = run("raises", tmp_path)
    before = (found.folder / "run.json").stat().st_mtime_ns
    words = [
        "run",
        "--plugin",
        BAD,
        "--method",
        "raises",
        "--task",
        "quadratic",
        "--budget",
        "2s",
        "--out",
        "runs",
    ]
    assert bench(*words, cwd=tmp_path).returncode == 1
    assert (found.folder / "run.json").stat().st_mtime_ns == before
    assert bench(*words, "--retry-failed", cwd=tmp_path).returncode == 1
    assert (found.folder / "run.json").stat().st_mtime_ns > before


@pytest.mark.parametrize("name", ["hangs_in_python", "never_yields"])
def test_what_can_still_be_stopped_is_a_finished_row(name, tmp_path):
    done, found = run(name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert found.run["status"] == "budget_exhausted"
    assert found.run["overrun_seconds"] < 5
    assert found.run["no_incumbent"] == (name == "never_yields")
    assert (len(found.tests) >= 1) == (name != "never_yields"), (
        "who proposed nothing has no measurement"
    )


def test_a_run_that_was_stopped_from_outside_is_measured_at_leisure(tmp_path):
    """The watchdog leaves it alone once it measures, which may take longer than the grace."""
    (tmp_path / "slow_test.py").write_text(
        BAD.read_text() + "\nimport tasks.quadratic as q\nbefore = q.QuadraticTask.test\n"
        "q.QuadraticTask.test = lambda self, *a: (time.sleep(2.5), before(self, *a))[1]\n"
    )
    done = bench(
        "run",
        "--plugin",
        "slow_test.py",
        "--method",
        "long_call",
        "--task",
        "quadratic",
        "--budget",
        "1s",
        "--grace",
        "1s",
        "--out",
        "runs",
        "--quiet",
        "--marks=",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert found.run["status"] == "budget_exhausted"
    assert 0.5 < found.run["overrun_seconds"] < 5
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


def wait_for_a_hang(path, most=30):
    """Until `hangs_in_native_code` with $HANGS at `path` is where no signal reaches Python."""
    end = time.monotonic() + most
    while not path.exists():
        assert time.monotonic() < end, "nothing hangs"
        time.sleep(0.05)
    time.sleep(0.5)


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
    done = bench(
        "run", "--plugin", BAD, "--task", "quadratic", "--out", "runs", *words, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (found,) = Store(tmp_path / "runs")
    assert found.done
    assert found.run["resumed"] == 1


def test_stopped_twice_it_stops_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    process = started(tmp_path, "--method", "hangs_in_native_code", "--budget", "300s")
    wait_for_a_hang(tmp_path / "hangs")
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None, "it waits for the run to store"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 30, "far less than its budget"
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


def test_the_watchdog_is_awake_after_a_resume(tmp_path):
    """Cut short right after a proposal, the method then hangs."""
    words = ["--method", "hangs_in_native_code", "--budget", "3s", "--grace", "1s", "--quiet"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    process.kill()
    process.communicate()
    began = time.monotonic()
    done = bench(
        "run", "--plugin", BAD, "--task", "quadratic", "--out", "runs", *words, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Killed" in done.stderr
    assert time.monotonic() - began < 40


@pytest.mark.parametrize(
    ("first", "delay"),
    [(".lock", 0.02), (".lock", 0.1), (".lock", 0.3), (".lock", 0.6), ("run.json", 0.02)],
)
def test_stopped_while_a_run_starts_it_is_no_failure(first, delay, tmp_path):
    process = started(tmp_path, "--method", "slow", "--budget", "60s", "--quiet")
    end = time.monotonic() + 60
    while not list(tmp_path.glob(f"runs/*/*/*/{first}")) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    found = list(Store(tmp_path / "runs"))
    assert all(r.open for r in found)
    assert found or first == ".lock"


def test_a_native_hang_ends_with_its_supervisor(tmp_path, monkeypatch):
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    process = started(tmp_path, "--method", "hangs_in_native_code", "--budget", "300s")
    wait_for_a_hang(tmp_path / "hangs")
    process.kill()
    process.communicate(timeout=60)
    (found,) = Store(tmp_path / "runs")
    for _ in range(100):
        with Store(tmp_path / "runs").lock(read_spec(found.run["spec"])) as lock:
            if lock is not None:
                return
        time.sleep(0.1)
    pytest.fail("the run is still held")


@pytest.mark.parametrize("where", ["/dev/full", "closed pipe"])
def test_what_cannot_be_said_is_no_failure(where, tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmark",
        "run",
        "--method",
        "grid",
        "--task",
        "quadratic",
        "--budget",
        "100nfe",
    ]
    if where == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(where, os.O_WRONLY)
    subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=writer,
        timeout=60,
        check=False,
    )
    os.close(writer)
    (found,) = Store(tmp_path / "results" / "runs")
    assert found.done


def write_plugin(path, body):
    path.write_text(
        "from dataclasses import dataclass\nfrom benchmark import fit, option, register_method\n"
        f"@register_method('mine')\n@dataclass(frozen=True)\nclass Mine:\n"
        "    scale: float = option(0.5, 'where', low=0, high=1)\n"
        f"    def __call__(self, problem, rng):\n        {body}\n"
    )
    return [
        "run",
        "--plugin",
        path.name,
        "--method",
        "mine",
        "--task",
        "quadratic",
        "--budget",
        "100nfe",
        "--out",
        "runs",
        "--quiet",
    ]


def test_a_class_in_a_plugin_file_works(tmp_path):
    words = write_plugin(
        tmp_path / "mine.py", "yield fit(problem, problem.space.default() * self.scale, 0)"
    )
    done = bench(*words, "--set", "mine.scale=0.25", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["'x' * 200000", "'\\ud800'", "'two\\nlines'"])
def test_what_a_method_says_cannot_spoil_the_folder(text, tmp_path):
    words = write_plugin(tmp_path / "mine.py", f"raise ValueError({text})\n        yield")
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert bench("report", "runs", cwd=tmp_path).returncode == 0
    assert bench("verify", "runs", cwd=tmp_path).returncode == 0


def test_an_edited_plugin_is_not_run_under_the_old_name(tmp_path):
    body = "open('mine.py', 'a').write('# edited'); yield fit(problem, problem.space.default(), 0)"
    words = write_plugin(tmp_path / "mine.py", body)
    done = bench(*words, "--seeds", "0-1", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr
        == "bench: method code was changed after the run had been planned; start `bench run` "
        "again\n"
    )
    assert {r.run["spec"]["seed"]: r.run["status"] for r in Store(tmp_path / "runs")} == {0: "ok"}


def test_modules_in_the_current_folder_are_not_the_suites(tmp_path):
    (tmp_path / "tasks.py").write_text("TABLE = 3\n")
    script = Path(sys.executable).with_name("bench")
    if not script.exists():
        pytest.skip("the command is not installed")
    words = ["run", "--method", "grid", "--task", "quadratic", "--budget", "100nfe", "--quiet"]
    done = subprocess.run(
        [script, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
