"""A worker whose run is another's by now writes nothing of it, and says so."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress

import psutil
import pytest

from benchmark.budget import ACCOUNTS
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.runs.child import Child
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.forked import Forked, WarmParent
from benchmark.runs.runner import run_one
from benchmark.runs.supervisor import Supervisor
from benchmark.runs.warm_start import WarmStart
from benchmark.runs.worker import LOST
from benchmark.spec import SCHEMA
from benchmark.store import fence, lease
from benchmark.store.fence import Fence
from benchmark.store.journal import CALLS, Line
from benchmark.store.lease import LEASE, Leases
from benchmark.store.planned import read_plan
from benchmark.store.seal import TRIALS
from benchmark.store.store import Store
from benchmark.store.writer import Writer
from tests.test_workers import worker

SLOW = """
import os, time
from pathlib import Path
from benchmark import Proposal, register_method

@register_method("slow")
def slow(problem, rng):
    lam = problem.space.default()
    state = problem.init(0)
    for _ in range(60):
        time.sleep(0.05)
        state = problem.step(state, lam)
        yield Proposal(lam, state, problem.loss(state, lam))
    with open(os.environ["ENDS"], "a") as file:
        file.write("end\\n")
"""


class _Clock:
    """A time that the test sets; who sleeps makes it go on."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        for module in (lease, fence):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return _Clock(monkeypatch)


@pytest.fixture
def spec():
    return plan("random", "quadratic", budget="60nfe", seeds="0", marks=[])[0]


@pytest.fixture
def stored(tmp_path, spec):
    """The folder of a run that another worker has done and let go."""
    store = Store(tmp_path)
    run_one(spec, store, quiet=True)
    return store.folder(spec)


def test_a_missing_lease_of_a_stored_run_is_lost_at_once(clock, stored):
    own = Leases()
    own.take(stored)
    (stored / LEASE).unlink()
    assert own.renew() == [stored]
    assert own.renew() == []


def test_a_missing_lease_of_an_open_run_is_looked_at_again_after_a_second(clock, tmp_path):
    own = Leases()
    own.take(tmp_path)
    (tmp_path / LEASE).rename(tmp_path / "aside")
    assert own.renew() == []
    clock.now += 0.5
    assert own.renew() == []
    (tmp_path / "aside").rename(tmp_path / LEASE)
    clock.now += 0.6
    assert own.renew() == []
    (tmp_path / LEASE).unlink()
    clock.now += own.rest
    assert own.renew() == [], "it counts anew"
    clock.now += 1.1
    assert own.renew() == [tmp_path]


def test_a_lease_that_grew_stale_since_the_last_look_is_open(clock, tmp_path):
    """As while this worker carries out another run."""
    first, second = Leases(), Leases()
    first.take(tmp_path)
    second.take(tmp_path)
    clock.now += first.patience - 1
    assert not second.take(tmp_path)
    clock.now += first.patience - 1
    assert second.undecided([tmp_path])
    assert second.take(tmp_path)


def test_a_file_system_that_is_away_for_less_than_the_patience_costs_no_run(
    clock, tmp_path, monkeypatch
):
    own, real = Leases(), lease._look
    own.take(tmp_path)

    def away(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(lease, "_look", away)
    for _ in range(5):
        assert own.renew() == []
        clock.now += own.rest
    monkeypatch.setattr(lease, "_look", real)
    assert own.renew() == []
    monkeypatch.setattr(lease, "_look", away)
    found = []
    for _ in range(8):
        clock.now += own.rest
        found += own.renew()
    assert found == [tmp_path]


def test_a_fence_looks_now_and_then_and_before_the_end(clock, tmp_path):
    own, lost = Leases(), []
    own.take(tmp_path)
    guarded = Fence(own, tmp_path, lambda: lost.append(clock.now))
    guarded.look()
    (tmp_path / LEASE).write_text("another")
    clock.now += own.rest - 1
    guarded.look()
    assert not lost
    clock.now += 1
    guarded.look()
    assert lost == [clock.now]
    guarded.hold()
    assert len(lost) == 2
    # a moment without a lease is none
    (tmp_path / LEASE).unlink()
    before = clock.now
    guarded.hold()
    assert len(lost) == 3
    assert clock.now - before == pytest.approx(1, abs=0.1)


def _content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("at", ["proposal", "final", "run"])
def test_a_run_that_is_anothers_by_now_changes_no_file(at, spec, tmp_path, monkeypatch):
    """In a process of its own, which ends."""
    store, own = Store(tmp_path / "runs"), Leases()
    folder, whole = store.folder(spec), getattr(Writer, at)
    folder.mkdir(parents=True)
    own.take(folder)
    guarded = Fence(own, folder, lambda: os._exit(LOST))

    def just_before(self, values, *more):
        # the first record is that of a run that is at work
        if at != "run" or values["status"] != "running":
            (folder / LEASE).write_text("another")
            guarded._due = 0.0
            shutil.copytree(folder, tmp_path / "before", dirs_exist_ok=True)
        whole(self, values, *more)

    monkeypatch.setattr(Writer, at, just_before)
    if (pid := os.fork()) == 0:
        try:
            run_one(spec, store, quiet=True, fence=guarded)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == LOST
    assert _content(folder) == _content(tmp_path / "before")


def test_a_run_that_is_taken_over_leaves_open_files_to_the_earlier_process(spec, tmp_path):
    folder, own = tmp_path / "runs", Leases()
    names = ("proposals.jsonl", TRIALS, CALLS)
    record = {"schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json(), "status": "running"}
    line = Line(["loss", 0], 1.0, 1, dict.fromkeys(ACCOUNTS, 0.0))
    earlier = Writer(folder)
    earlier.run(record)
    earlier.journal.write(line)
    earlier.journal.flush()
    own.take(folder)
    later = Writer(folder, Fence(own, folder, lambda: None))
    assert len(later.journal.lines) == 1
    assert later.stopped == pytest.approx((folder / CALLS).stat().st_mtime), "for the next one"
    before = {name: (folder / name).read_bytes() for name in names}
    earlier.journal.write(line)
    earlier.proposal({"seconds": 1.0, "nfe": 1, "lam": {"a": 0.5}, "loss": 1.0})
    earlier.close("interrupted")
    assert {name: (folder / name).read_bytes() for name in names} == before


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A folder with one run of three seconds, and the words of its plug-in."""
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.setenv("ENDS", str(tmp_path / "ends"))
    root, plugin = tmp_path / "runs", ["--plugin", str(tmp_path / "slow.py")]
    words = ["--method", "slow", "--task", "quadratic", "--budget", "1000nfe", *plugin]
    # in a process of its own, which alone knows the method then
    command = [sys.executable, "-m", "benchmark", "run", *words, "--out", str(root)]
    subprocess.run([*command, "--emit", "slurm"], check=True, capture_output=True)
    return root, plugin


@pytest.mark.parametrize("first_awake", ["both", "its run"])
def test_a_run_that_another_has_finished_meanwhile_is_left_as_it_is(planned, tmp_path, first_awake):
    root, plugin = planned
    words = ["--patience", "2s", *plugin]
    first = worker(root, *words)
    (spec,) = read_plan(root)
    folder = Store(root).folder(spec)
    while not (folder / "proposals.jsonl").exists():
        assert first.poll() is None
        time.sleep(0.05)
    # as a node that hangs; its lock on this one machine is let go by hand
    processes = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    (folder / ".lock").unlink()
    second = worker(root, *words, "--wait")
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert not (folder / LEASE).exists()
    content = _content(folder)
    if first_awake == "its run":
        for process in processes[1:]:
            process.resume()
        psutil.wait_procs(processes[-1:], timeout=60)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    said = first.communicate()[1]
    assert first.returncode == 1, said
    assert "its lease was lost: another worker has it" in said
    assert _content(folder) == content
    assert (tmp_path / "ends").read_text() == "end\n", "it was done to its end once"
    assert main(["verify", str(root)]) == 0


def test_a_run_that_died_once_it_was_anothers_is_not_stored_as_failed(spec, tmp_path, capfd):
    store = Store(tmp_path / "runs", Leases())
    store.prepare()
    held = ExitStack()
    lock = held.enter_context(store.lock(spec))
    assert lock is not None
    with WarmStart([]) as warm:
        supervisor = Supervisor(store, ExecutorSettings(quiet=True), warm)
        dead = subprocess.Popen(["false"], stdin=subprocess.PIPE, start_new_session=True)
        dead.wait()
        child = Child(spec, "cpu", dead, os.open(os.devnull, os.O_RDONLY), held)
        supervisor.children.append(child)
        (store.folder(spec) / LEASE).write_text("another")
        supervisor._ended(child)
    assert supervisor.lost == 1
    assert "its lease was lost" in capfd.readouterr().err
    assert not (store.folder(spec) / "run.json").exists()
    assert (store.folder(spec) / LEASE).read_text() == "another"


def test_leases_are_renewed_while_a_fork_server_imports_and_forks(spec, tmp_path, monkeypatch):
    """Each may take longer than the patience on a machine that is cold."""
    store = Store(tmp_path / "runs", Leases())
    store.prepare()
    renewed, at, waits = [], [], []

    def renew():
        renewed.append(list(at))
        return []

    class Slow(WarmParent):
        """Answers, and forks, a while after it was asked."""

        def wait(self, seconds):
            at[:] = ["imports"]
            waits.append(seconds)
            if ["imports"] in renewed or len(waits) > 50:
                super().wait(seconds)

        def start(self, stdin, theirs, waiting=None):
            at[:] = ["forks"]
            status, written = os.pipe()

            def late():
                waiting()
                os.write(written, b'{"error": "too late"}\n')

            return Forked(status, stdin, late)

    monkeypatch.setattr(store.leases, "renew", renew)
    monkeypatch.setattr("benchmark.runs.warm_start.WarmParent", Slow)
    with WarmStart([]) as warm:
        outcome = Supervisor(store, ExecutorSettings(quiet=True), warm)([spec])
    assert "too late" in outcome.broken
    assert ["imports"] in renewed
    assert ["forks"] in renewed
