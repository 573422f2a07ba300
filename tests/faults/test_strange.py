"""Methods that reach for what is the suite's: file descriptors, the lock, signals, the terminal,
the log.
"""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from benchmark.store.store import Store
from tests.faults.size import FULL
from tests.test_cli import environment

HEAD = """
import ctypes, json, logging, os, subprocess, sys, time
from benchmark import fit, register_method
@register_method("strange")
def strange(problem, rng):
    yield fit(problem, problem.space.default(), 0)
"""
RUN = ["run", "--task", "quadratic", "--budget", "100nfe", "--out", "runs", "--quiet"]
STRANGE = ["--plugin", "strange.py", "--method", "strange,default"]


def bench(*words, cwd, files=None, **more):
    def limit():
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    return subprocess.run(
        [sys.executable, "-m", "benchmark", *words],
        cwd=cwd,
        env=environment() | more,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
        check=False,
    )


def run(cwd, body, *words):
    """The strange method and a good one after it: the command, and the strange one's record."""
    (cwd / "strange.py").write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    done = bench(*RUN, *STRANGE, *words, cwd=cwd)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    found = {r.run["spec"]["method"]: r for r in Store(cwd / "runs")}
    assert found["default"].done
    return done, found["strange"].run


WRITES = """
for fd in range(3, 64):
    try:
        if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
            os.write(fd, %s)
    except OSError:
        pass
time.sleep(0.5)
"""


@pytest.mark.parametrize(
    ("garbage", "status", "noted"),
    [
        ('b"garbage\\n"', "ok", True),
        ('b"no end"', "ok", True),
        ('b"x" * 60000', "ok", False),
        ('b\'[1, 2]\\n["search", "soon"]\\n["search", NaN]\\n{}\\n\'', "ok", True),
        ("b'\\xff\\x00' * 100", "ok", False),
        ("b'[' * 9000 + b'\\n'", "ok", True),
    ],
)
def test_garbage_in_the_suites_own_pipe_is_passed_over(garbage, status, noted, tmp_path):
    done, found = run(tmp_path, WRITES % garbage)
    assert done.returncode == 0, done.stderr
    assert found["status"] == status
    assert not noted or "file descriptor that is the suite's; they were ignored" in done.stderr


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        open("daemon", "a").write(f"{os.getpid()}\\n")
        time.sleep(60)
    os._exit(0)
while not os.path.exists("daemon") or not open("daemon").read():
    time.sleep(0.01)
raise RuntimeError("and leaves")
"""
SPAWNED = (
    DAEMON.partition("while not")[0].partition("if os.fork")[0]
    + """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False,
                         start_new_session=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
open("daemon", "a").write(f"{child.pid}\\n")
raise RuntimeError("and leaves")
"""
)


@pytest.mark.parametrize("body", [DAEMON, SPAWNED], ids=["forked", "spawned"])
def test_a_daemon_left_behind_does_not_hold_the_lock(body, tmp_path):
    try:
        done, found = run(tmp_path, body)
        assert found["status"] == "failed", done.stderr
        pid = int((tmp_path / "daemon").read_text().split()[0])
        os.kill(pid, 0)  # it is alive, else this tests nothing
        began = time.monotonic()
        again = bench(*RUN, *STRANGE, "--retry-failed", cwd=tmp_path, **{"STRANGE": "2"})
        assert time.monotonic() - began < 30
        assert "waiting for runs" not in again.stderr
        assert "failed: strange, seed 0: RuntimeError: and leaves" in again.stderr
    finally:
        for process in (
            (tmp_path / "daemon").read_text().split()
        ):  # of both runs; else later tests see neighbours
            os.kill(int(process), signal.SIGKILL)


@pytest.mark.parametrize("more", [[], ["--in-process"]])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit", "SystemExit(0)"])
def test_what_no_method_should_raise_is_a_failed_run(error, more, tmp_path):
    if error not in ("KeyboardInterrupt", "GeneratorExit") and not FULL:
        pytest.skip("with BENCH_FAULTS=full")
    done, found = run(tmp_path, f"raise {error}", *more)
    assert done.returncode == 1
    assert found["status"] == "failed"
    assert found["error"].startswith(error.partition("(")[0])
    assert "cut short" not in done.stderr


def test_a_run_in_the_background_of_a_shell_tells_them_apart_too(tmp_path):
    """There SIGINT is ignored, which processes inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done, found = run(tmp_path, "raise KeyboardInterrupt", "--in-process")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.returncode == 1
    assert found["status"] == "failed"
    assert "raised by the method" in found["error"]


@pytest.mark.parametrize(
    "how", ["print('x' * 99, file=sys.stderr)", "os.write(2, b'x' * 99 + b'\\n')"]
)
def test_what_a_method_prints_is_bounded_where_all_is_to_be_quiet(how, tmp_path):
    done, found = run(tmp_path, f"for _ in range(200_000):\n    {how}")
    assert found["status"] == "ok"
    assert done.returncode == 0
    assert 65_000 < len(done.stderr) < 67_000
    assert "19934464 bytes more were dropped" in done.stderr


def test_little_is_passed_on_as_it_is(tmp_path):
    done, _ = run(tmp_path, "print('a warning', file=sys.stderr)")
    assert done.stderr == "a warning\n"


def test_a_log_call_that_does_not_fit_its_text_is_a_note(tmp_path):
    done, found = run(tmp_path, "logging.getLogger('benchmark').warning('%d', 'x')")
    assert done.returncode == 0, done.stderr
    assert found["status"] == "ok"
    (note,) = found["notes"]
    assert note.startswith("a log call that cannot be formatted (strange.py, line ")


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 200] * 30)])
@pytest.mark.parametrize(
    "words",
    [[*RUN, "--method", "random"], [*RUN, "--method", "random", "--dry-run"], ["report", "runs"]],
)
def test_a_path_that_is_too_long_is_one_line(name, words, tmp_path):
    done = bench(*words, "--out", name, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "File name too long" in done.stderr
    assert len(done.stderr) < 200
    assert list(tmp_path.iterdir()) == []


def test_more_jobs_than_open_files_are_one_line_with_what_would_do(tmp_path):
    words = [*RUN, "--method", "random", "--seeds", "0-31", "--jobs"]
    done = bench(*words, "32", cwd=tmp_path, files=64)
    assert done.returncode == 2
    assert done.stderr == (
        "bench: --jobs: 32 at a time need 184 open files, this process may have 64 (ulimit -n); "
        "use --jobs 8 or raise it\n"
    )
    done = bench(*words, "8", "--seeds", "0-7", cwd=tmp_path, files=64)
    assert done.returncode == 0, done.stderr
    assert sum(r.done for r in Store(tmp_path / "runs")) == 8


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.4, 0.8] if FULL else [0.3])
def test_ctrl_c_while_it_starts_is_one_line(delay, tmp_path):
    """Most of a start is imports. The interpreter's own start, before any of this suite, is not
    tested.
    """
    code = (
        "import runpy; open('begun', 'w').close(); runpy.run_module('benchmark', "
        "run_name='__main__', alter_sys=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "report", "nowhere"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "begun").exists():
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 1, said
    over = process.returncode == 2 and "found none" in said
    assert over or process.returncode in (130, -signal.SIGINT), said
