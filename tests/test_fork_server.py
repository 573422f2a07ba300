"""The process that imports for all runs and forks them: isolated as fresh ones are, and equal."""

import fcntl
import importlib
import json
import os
import resource
import signal
import time

import numpy as np
import psutil
import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS, TASKS
from benchmark.runs import supervisor
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.forked import WarmParent, _ready, modules
from benchmark.runs.neighbours import FORK
from benchmark.runs.spawn import environment
from benchmark.runs.supervisor import LocalExecutor
from benchmark.store.store import Store
from tests.faults.test_methods import bench, started, wait_for_proposals

TELLS = """
import json, os
from pathlib import Path
import numpy as np
from benchmark import Proposal, fit, register_method

@register_method("tells")
def tells(problem, rng):
    found = {"pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0),
             "draw": float(np.random.random()), "stdin": os.readlink("/proc/self/fd/0"),
             "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
             "kept": "BENCH_BLAS_THREADS" in os.environ, "module": "TELLS_LOADED" in os.environ,
             "open": sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                            if os.path.islink(f"/proc/self/fd/{n}"))}
    os.environ["TELLS_LOADED"] = "1"
    Path(os.environ["TELLS"], f"{found['pid']}.json").write_text(json.dumps(found))
    yield fit(problem, problem.space.default(), 0)
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What the runs of a method that tells of its process say, with `bench run` on two slots."""
    (tmp_path / "tells.py").write_text(TELLS)
    monkeypatch.setenv("TELLS", str(tmp_path))
    words = ["run", "--plugin", tmp_path / "tells.py", "--method", "tells", "--task", "quadratic"]

    def run(*more):
        done = bench(*words, "--budget", "100nfe", "--seeds", "0-3", "--quiet", *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [json.loads(p.read_text()) for p in tmp_path.glob("*.json")]

    return run


def test_runs_are_forks_of_one_server_and_share_nothing(told, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = told("--jobs", "2")
    assert len(found) == 4
    assert len({f["parent"] for f in found}) == 1
    assert all(f["session"] == f["pid"] for f in found)
    assert len({f["draw"] for f in found}) == 4, "a global generator that is shared"
    assert not any(f["module"] for f in found)
    assert {f["blas"] for f in found} == {None}
    assert not any(f["kept"] for f in found)
    assert all(f["stdin"].startswith("pipe:") for f in found)
    # of another run nothing is open: one pipe for events, one of standard input, and the lock
    assert {len([o for o in f["open"] if o.startswith("socket:")]) for f in found} == {0}
    assert {len([o for o in f["open"] if o.endswith(".lock")]) for f in found} == {1}


def test_what_the_user_has_set_for_linear_algebra_stands(told, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert {f["blas"] for f in told()} == {"3"}


SMALL = ["channels=8,16", "horizon=4", "batch=16", "steps=3", "samples=40", "grad_samples=40"]
SMALL += ["test_samples=40"]


def _content(store):
    """What no clock decides, as text: by method, each proposal and each figure in full."""
    return {
        r.run["spec"]["method"]: [
            json.dumps(
                {k: v for k, v in row.items() if "seconds" not in k}, default=np.ndarray.tolist
            )
            for row in (*r.proposals, *r.tests)
        ]
        for r in store
    }


def test_a_forked_run_is_a_fresh_one_to_the_bit(tmp_path, monkeypatch):
    small = [f"noise_schedule.{setting}" for setting in SMALL]
    specs = plan("bilevel", "noise_schedule", budget="2500nfe", settings=small, marks=[])
    specs += plan("gp", "quadratic", budget="460nfe", marks=[])
    settings = ExecutorSettings(quiet=True)
    LocalExecutor(settings)(specs, Store(tmp_path / "forked"))
    monkeypatch.setattr(supervisor.sys, "platform", "darwin")
    LocalExecutor(settings)(specs, Store(tmp_path / "fresh"))
    forked, fresh = (_content(Store(tmp_path / name)) for name in ("forked", "fresh"))
    assert len(forked) == 2
    assert all(len(rows) >= 2 for rows in forked.values())
    assert forked == fresh


def test_what_a_run_imports_late_is_there():
    """A name that is wrong would cost its seconds in each run, and nobody would see it."""
    for registry in (METHODS, TASKS):
        for name in registry.known():
            if registry.entries[name].built_in:
                for module in getattr(registry.get(name), "imports", ()):
                    importlib.import_module(module)


def test_only_built_ins_are_imported_for_all(tmp_path):
    prompt = "a bold red seven on a white background"
    (spec,) = plan("gp", "reward_ft", budget="100nfe", prompts=[prompt])
    found = modules([spec, spec])
    assert found[:2] == ["tasks.reward_ft", "tasks.reward_ft.opening"]
    assert "methods.optuna_gp" in found
    assert len(found) == len(set(found))


def _answer(warm):
    end = time.monotonic() + 60
    while warm.why is None and time.monotonic() < end:
        warm.wait(0.2)
    return warm.why


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", ""),
        ("raise ImportError('no such network')", ""),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
            "an import started a thread",
        ),
        ("import os; os._exit(7)", "it ended with exit status 7"),
    ],
)
def test_a_server_that_cannot_fork_says_why(code, why, tmp_path, monkeypatch):
    (tmp_path / "late_import_of_a_test.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    warm = WarmParent(["late_import_of_a_test"], environment(1))
    try:
        found = _answer(warm)
    finally:
        warm.close()
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_runs_go_on_in_fresh_processes_where_it_cannot_fork(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(supervisor, "modules", lambda specs: ["late_import_of_a_test"])
    (tmp_path / "late_import_of_a_test.py").write_text("import os; os._exit(7)")
    monkeypatch.syspath_prepend(tmp_path)
    specs = plan("default", "quadratic", budget="100nfe", seeds="0-1")
    LocalExecutor(ExecutorSettings(quiet=True))(specs, Store(tmp_path / "runs"))
    assert [r.run["status"] for r in Store(tmp_path / "runs")] == ["ok", "ok"]
    said = capfd.readouterr().err
    assert "each run starts in a fresh process, for it ended with exit status 7" in said
    assert said.count("fresh process") == 1


def _server(process):
    (found,) = [
        child
        for child in psutil.Process(process.pid).children()
        if "benchmark.runs.fork_server" in child.cmdline()
    ]
    return found


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40")])
def test_a_signal_has_a_name_or_a_number(number, name):
    """A real-time signal has no name."""
    assert supervisor._name(number) == name


def test_a_server_that_is_killed_fails_its_run_and_no_other(tmp_path):
    words = ["--method", "slow,default", "--budget", "3000nfe", "--quiet"]
    process = started(tmp_path, *words)
    wait_for_proposals(tmp_path)
    _server(process).send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Died: its process was killed by SIGKILL, not by the suite" in said
    assert "Traceback" not in said
    found = {r.run["spec"]["method"]: r.run["status"] for r in Store(tmp_path / "runs")}
    assert found == {"slow": "failed", "default": "ok"}


def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path):
    process = started(tmp_path, "--method", "slow", "--budget", "300s")
    wait_for_proposals(tmp_path)
    everyone = psutil.Process(process.pid).children(recursive=True)
    assert [p.name() for p in everyone].count(FORK) == 1
    process.kill()
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(everyone, timeout=20)
    assert not alive


def test_a_server_without_a_supervisor_ends():
    warm = WarmParent([], environment(1))
    assert _answer(warm) == ""
    assert warm._process.poll() is None
    warm._ours.close()
    assert warm._process.wait(20) == 0


def test_descriptors_may_have_any_number():
    """A few hundred runs at a time have more than a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    reader, writer = os.pipe()
    high = fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 2000)
    try:
        assert not _ready(high, 0)
        os.write(writer, b"x")
        assert _ready(high, 0)
        assert os.read(high, 1) == b"x"
        os.close(writer)
        assert _ready(high), "it has ended"
    finally:
        os.close(high)
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
