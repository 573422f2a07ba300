"""The executor on a Dask cluster: runs come back whole, and lost workers lose none."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import psutil
import pytest

from benchmark import UsageError, run
from benchmark.budget import ACCOUNTS
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import StorageError
from benchmark.runs import dask_engine, gather
from benchmark.runs.dask_engine import DaskExecutor
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.gather import SchedulerLost
from benchmark.runs.remote import Answered, Suite, ask, lacks
from benchmark.runs.runner import run_one
from benchmark.spec import SCHEMA
from benchmark.store.checkpoints import STATES
from benchmark.store.incoming import INCOMING
from benchmark.store.journal import CALLS, Line
from benchmark.store.packed import Packed, pack, unpack
from benchmark.store.store import Store
from benchmark.store.writer import Writer
from tests.test_workers import tables_alike

ROOT = Path(__file__).parent.parent
WHAT = ["--method", "random", "--task", "quadratic", "--budget", "300nfe", "--seeds", "0-2"]


@pytest.fixture
def stored(tmp_path):
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0", marks=[])
    store = Store(tmp_path / "one")
    run_one(spec, store, quiet=True)
    return spec, store


def test_a_packed_run_is_the_same_run(stored, tmp_path):
    spec, store = stored
    other = Store(tmp_path / "two")
    (store.folder(spec) / ".lock").write_text("")
    unpack(pack(store.folder(spec)), spec, other)
    names = {p.name for p in other.folder(spec).iterdir()}
    assert names == {p.name for p in store.folder(spec).iterdir()} - {".lock"}
    assert other.find(spec).run == store.find(spec).run
    assert main(["verify", str(tmp_path / "two")]) == 0


def test_a_driver_that_was_killed_while_it_unpacked_leaves_nothing(stored, tmp_path):
    """It was beside the runs, where each report passed it over and `bench verify` failed."""
    spec, store = stored
    root = tmp_path / "two"
    code = (
        "import os, signal, sys, json\n"
        "from pathlib import Path\n"
        "from benchmark.spec import read_spec\n"
        "from benchmark.store.packed import pack, unpack\n"
        "from benchmark.store.store import Store\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "spec, one, two = read_spec(json.loads(sys.argv[1])), *map(Path, sys.argv[2:])\n"
        "unpack(pack(Store(one).folder(spec)), spec, Store(two))\n"
    )
    words = [json.dumps(spec.as_json()), str(store.root), str(root)]
    killed = subprocess.run([sys.executable, "-c", code, *words])
    assert killed.returncode == -signal.SIGKILL
    # a run that is there is seen, and nothing else
    shutil.copytree(store.root, root, dirs_exist_ok=True)
    assert len(list(root.rglob("run.json"))) == 2
    assert [run.folder for run in Store(root)] == [Store(root).folder(spec)]
    assert not next(iter(Store(root))).passed_over
    assert main(["verify", str(root)]) == 0
    alive = root / INCOMING / f"run.{os.getpid()}.{socket.gethostname()}"
    alive.mkdir()
    Store(root).prepare()
    assert list((root / INCOMING).iterdir()) == [alive], "its process is at work"
    alive.rmdir()
    Store(root).prepare()
    assert not (root / INCOMING).exists()


def test_a_run_from_elsewhere_leaves_nothing_of_an_attempt_that_was_cut_short(stored, tmp_path):
    spec, store = stored
    other = Store(tmp_path / "two")
    writer = Writer(other.folder(spec))
    record = {"schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json()}
    writer.run(record | {"status": "interrupted"})
    writer.journal.write(Line(["loss", 0], 1.0, 1, dict.fromkeys(ACCOUNTS, 0.0)))
    writer.journal.checkpoints.save([(0, {"a": np.zeros(2)})], {0})
    writer.close("interrupted")
    assert (other.folder(spec) / CALLS).exists()
    assert list((other.folder(spec) / STATES).iterdir())
    unpack(pack(store.folder(spec)), spec, other)
    names = {p.name for p in other.folder(spec).iterdir()}
    assert names == {p.name for p in store.folder(spec).iterdir()}
    assert main(["verify", str(tmp_path / "two")]) == 0


def test_a_failed_run_from_elsewhere_keeps_its_journal(stored, tmp_path):
    spec, store = stored
    (store.folder(spec) / CALLS).write_text("{}\n")
    other = Store(tmp_path / "two")
    unpack(pack(store.folder(spec)), spec, other)
    assert (other.folder(spec) / CALLS).read_text() == "{}\n"


def test_what_was_altered_on_its_way_is_refused_and_nothing_is_stored(stored, tmp_path):
    spec, store = stored
    packed, other = pack(store.folder(spec)), Store(tmp_path / "two")
    with pytest.raises(StorageError, match="is not what it sent"):
        unpack(replace(packed, content=packed.content + b"x"), spec, other)
    junk = b"no archive"
    with pytest.raises(StorageError, match="is no run"):
        unpack(Packed(junk, hashlib.sha256(junk).hexdigest()), spec, other)
    assert other.find(spec) is None
    assert not list((tmp_path / "two").rglob("*.*"))


def test_what_a_machine_lacks_is_named(tmp_path):
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0")
    assert ask([spec.as_json()], []) == ""
    other = replace(spec, fingerprint={**spec.fingerprint, "suite": "another"})
    assert lacks([other]) == "suite is not what the runs were planned with"
    assert "missing.py" in ask([spec.as_json()], [str(tmp_path / "missing.py")])
    unknown = {**spec.as_json(), "method": "unheard"}
    assert "unknown method 'unheard'" in ask([unknown], [])


def test_workers_of_this_machine_carry_out_a_suite(tmp_path, loopback):
    out = str(tmp_path / "runs")
    assert main(["run", *WHAT, "--out", out, "--engine", "dask", "--jobs", "2", "--quiet"]) == 0
    assert main(["run", *WHAT, "--out", str(tmp_path / "own"), "--quiet"]) == 0
    tables_alike(tmp_path / "runs", tmp_path / "own")
    assert main(["verify", out]) == 0


class Cluster(NamedTuple):
    """schedule, work: start a scheduler on a port, and a worker."""

    address: str
    scheduler: subprocess.Popen
    schedule: Callable
    work: Callable

    def drive(self, *words):
        """`bench run` on it, until the first run is stored; its process."""
        command = [sys.executable, "-m", "benchmark", "run", *WHAT, "--seeds", "0-5", *words]
        command += ["--quiet", "--engine", "dask", "--address", self.address]
        driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not list(Path(words[-1]).glob("*/*/*/run.json")):
            assert driver.poll() is None, driver.communicate()[1]
            time.sleep(0.02)
        return driver


@pytest.fixture
def cluster(loopback):
    """A scheduler, and functions that start another and a worker."""
    python = [sys.executable, "-m", "distributed.cli"]
    started = []

    def start(name, *words, listen=None, cwd=None, **environment):
        command = [*python[:2], f"distributed.cli.dask_{name}", *words]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=cwd, env=os.environ | environment
        )
        started.append(process)
        while listen and (line := process.stderr.readline()):
            if found := re.search(listen, line):
                return found.group(1), process
        return "", process

    def schedule(port="0"):
        silent = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s"}
        words = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"]
        return start("scheduler", *words, listen=r"Scheduler at:\s+(tcp\S+)", **silent)

    address, scheduler = schedule()

    def work(**more):
        words = [address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        return start("worker", *words, listen=r"(Registered) to", **more)[1]

    yield Cluster(address, scheduler, schedule, work)
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("when", ["starting", "at work"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_driver_says_so_and_leaves_nothing(when, number, tmp_path, loopback):
    """Ctrl-C of a terminal reaches the workers of this machine too."""
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "benchmark", "run", "--method", "random", "--quiet"]
    command += ["--task", "quadratic", "--budget", "300s", "--set", "random.trials=1000000"]
    command += ["--engine", "dask", "--jobs", "2", "--out", str(tmp_path / "runs"), "--seeds=0-2"]
    driver = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
    )
    sought = {
        "starting": lambda: psutil.Process(driver.pid).children(recursive=True),
        "at work": lambda: list(tmp_path.glob("tmp/bench-run-*/*/*/*/proposals.jsonl")),
    }[when]
    while not sought():
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.02)
    everyone = psutil.Process(driver.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(driver.pid, number)
    else:
        driver.send_signal(number)
    said = driver.communicate(timeout=60)[1]
    assert driver.returncode == 130, said
    assert "interrupted: 0 of 3 runs are stored; the same command goes on with the others" in said
    assert "Traceback" not in said
    assert said.count("\n") <= 2, said
    _, alive = psutil.wait_procs(everyone, timeout=20)
    assert not alive


def test_a_killed_worker_loses_no_run(cluster, tmp_path):
    first = cluster.work()
    driver = cluster.drive("--out", str(tmp_path / "runs"))
    cluster.work()
    first.kill()
    said = driver.communicate(timeout=120)[1]
    assert driver.returncode == 0, said
    assert len(list((tmp_path / "runs").glob("*/*/*/run.json"))) == 6
    assert main(["verify", str(tmp_path / "runs")]) == 0


def test_a_worker_that_stands_still_keeps_no_run_from_the_others(cluster, tmp_path):
    """Dask gives its runs to others once it has been silent for `worker-ttl`, here ten seconds."""
    first = cluster.work()
    driver = cluster.drive("--out", str(tmp_path / "runs"))
    first.send_signal(signal.SIGSTOP)
    cluster.work()
    said = driver.communicate(timeout=120)[1]
    assert driver.returncode == 0, said
    assert len(list((tmp_path / "runs").glob("*/*/*/run.json"))) == 6
    assert main(["verify", str(tmp_path / "runs")]) == 0


def test_a_killed_scheduler_is_one_line_and_the_suite_goes_on_with_the_next(cluster, tmp_path):
    out = str(tmp_path / "runs")
    cluster.work()
    driver = cluster.drive("--out", out)
    cluster.scheduler.kill()
    said = driver.communicate(timeout=60)[1]
    stored = {p: p.stat().st_mtime_ns for p in Path(out).glob("*/*/*/run.json")}
    assert driver.returncode == 1, said
    assert 1 <= len(stored) < 6
    assert "Traceback" not in said
    assert "--engine dask: the scheduler is gone" in said
    assert f"{len(stored)} of 6 runs are stored; the same command goes on" in said
    cluster.scheduler.wait()
    cluster.schedule(cluster.address.rpartition(":")[2])
    cluster.work()
    driver = cluster.drive("--out", out)
    said = driver.communicate(timeout=60)[1]
    assert driver.returncode == 0, said
    assert all(p.stat().st_mtime_ns == at for p, at in stored.items()), "none is run twice"
    assert main(["run", *WHAT, "--seeds", "0-5", "--out", str(tmp_path / "own"), "--quiet"]) == 0
    tables_alike(tmp_path / "runs", tmp_path / "own")


def test_what_a_cluster_has_not_is_one_line(cluster, tmp_path, monkeypatch):
    address, work = cluster.address, cluster.work
    (spec,), store = plan("random", "quadratic", budget="60nfe", seeds="0"), Store(tmp_path)
    executor = DaskExecutor(ExecutorSettings(quiet=True, address=address))
    with pytest.raises(UsageError, match="its scheduler has no workers; start some"):
        executor([spec], store)
    work()
    with pytest.raises(UsageError, match=r"none of 1 has one; start them with `dask worker"):
        executor([replace(spec, device="cuda")], store)
    other = replace(spec, fingerprint={**spec.fingerprint, "suite": "another"})
    with pytest.raises(UsageError, match="no worker can take the runs; the first: suite is not"):
        executor([other], store)
    assert executor([spec], store) == Outcome()
    store.forget(spec)
    monkeypatch.setattr(dask_engine, "_PATIENCE", 0.5)
    nobody = DaskExecutor(ExecutorSettings(quiet=True, address="tcp://127.0.0.1:1"))
    with pytest.raises(UsageError, match="--address tcp://127.0.0.1:1: expected a Dask scheduler"):
        nobody([spec], Store(tmp_path))


def test_a_finished_suite_starts_no_cluster(stored, monkeypatch):
    spec, store = stored
    monkeypatch.setattr(dask_engine, "_client", lambda settings: pytest.fail("a cluster starts"))
    assert DaskExecutor(ExecutorSettings(quiet=True))([spec], store) == Outcome()


def test_a_run_whose_workers_died_too_often_for_dask_is_sent_again(loopback, tmp_path):
    """A run that kills its worker five times: Dask gives a task up after four."""
    (tmp_path / "kills.py").write_text(KILLS)
    words = ["run", "--plugin", tmp_path / "kills.py", "--method", "kills", "--task", "quadratic"]
    words += ["--budget", "60nfe", "--seeds", "0", "--marks=", "--engine", "dask", "--quiet"]
    command = [sys.executable, "-m", "benchmark", *map(str, words), "--out", tmp_path / "runs"]
    given = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(command, env=os.environ | {"KILLS": str(tmp_path)}, **given)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("killed.*"))) == 5
    (run,) = Store(tmp_path / "runs")
    assert run.done


KILLS = """
import os, signal, tempfile
from pathlib import Path
import psutil
from benchmark import fit, register_method

@register_method("kills")
def kills(problem, rng):
    place = Path(os.environ["KILLS"])
    if len(list(place.glob("killed.*"))) < 5:
        tempfile.mkstemp(dir=place, prefix="killed.")
        # the run, its fork server, the worker
        psutil.Process(os.getppid()).parent().kill()
        signal.pause()
    yield fit(problem, problem.space.default(), 0)
"""


def test_a_worker_that_joins_late_and_lacks_something_is_named_and_leaves_its_runs(
    cluster, tmp_path
):
    cluster.work()
    driver = cluster.drive("--seeds", "0-29", "--out", str(tmp_path / "runs"))
    # a worker of another version: its code of the method is not the plan's
    for name in ("benchmark", "methods", "tasks"):
        shutil.copytree(ROOT / name, tmp_path / "old" / name)
    with (tmp_path / "old" / "methods" / "random_search.py").open("a") as file:
        file.write("# another version\n")
    cluster.work(cwd=tmp_path / "old")
    said = driver.communicate(timeout=120)[1]
    assert driver.returncode == 0, said
    assert said.count("gets no runs: method code is not what the runs were planned") == 1
    assert len(list((tmp_path / "runs").glob("*/*/*/run.json"))) == 30


def test_without_any_worker_left_that_can_it_is_one_line(monkeypatch, tmp_path):
    """Where one worker lacked something, the runs are bound to the others."""
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0")
    there = {"able": {}, "unable": {}}
    client = SimpleNamespace(
        scheduler_info=lambda n_workers: {"workers": there},
        run=lambda function, *given, workers, on_error: {"able": "", "unable": "no file"},
        submit=lambda *given, **more: more["key"],
    )
    ready = SimpleNamespace(next_batch=lambda block: (there.pop("able", None), [])[1])
    dask = SimpleNamespace(as_completed=lambda futures: ready)
    monkeypatch.setattr(dask_engine, "_dask", lambda: dask)
    monkeypatch.setattr(dask_engine, "_PATIENCE", 0.3)
    sent = dask_engine._Sent(client, Suite.of([spec], ExecutorSettings()))
    sent.able([spec])
    assert sent.workers == ["able"]
    with pytest.raises(SchedulerLost, match="no worker that can take the runs is left"):
        list(sent.answers([spec]))


def test_where_all_workers_are_gone_a_line_says_so_and_others_are_awaited(monkeypatch, capsys):
    """Any may take the runs, and a batch system may start one in an hour."""
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0")
    there = {}
    client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": there})
    monkeypatch.setattr(dask_engine, "_PATIENCE", 0.0)
    sent = dask_engine._Sent(client, Suite.of([spec], ExecutorSettings()), None)
    said = []
    for workers in ({}, {}, {"a": {}}, {}):
        there.clear()
        there.update(workers)
        sent._look()
        said.append(capsys.readouterr().err)
    assert said == ["bench: no worker is there; waiting for one\n", "", "", said[0]]


def test_an_answer_waits_for_whoever_holds_the_run(stored, tmp_path, monkeypatch):
    """It is all that there is of it: what is not stored here would be done again."""
    spec, store = stored
    answer = Answered(pack(store.folder(spec)))
    other = Store(tmp_path / "two")
    with Store(tmp_path / "two").lock(spec):
        monkeypatch.setattr(gather, "_PATIENCE", 0.3)
        outcome = gather.gather([(spec, answer)], other, 1, quiet=True)
    assert "another process holds it" in outcome.broken
    assert other.find(spec) is None
    assert gather.gather([(spec, answer)], other, 1, quiet=True) == Outcome()
    assert other.find(spec).done


def test_the_last_worker_that_lacks_something_ends_it_too():
    client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": {"a": {}, "b": {}}})
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0")
    sent = dask_engine._Sent(client, Suite.of([spec], ExecutorSettings()))
    sent._leave_out(dask_engine._Unable("a", "no file"))
    assert sent.workers == ["b"]
    with pytest.raises(SchedulerLost, match="no worker that can take the runs is left"):
        sent._leave_out(dask_engine._Unable("b", "no file"))


def test_cards_are_the_clusters_not_the_drivers(cluster, tmp_path, capsys):
    words = ["run", *WHAT, "--out", str(tmp_path), "--engine", "dask", "--device"]
    assert main([*words, "cuda:0,cuda:1"]) == 2
    assert "this machine has 0 CUDA devices" in capsys.readouterr().err
    cluster.work()
    assert main([*words, "cuda", "--address", cluster.address]) == 2
    assert "expected a worker with a card, none of 1 has one" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"start `CUDA_VISIBLE_DEVICES=K dask worker"):
        DaskExecutor(ExecutorSettings(("cuda:0", "cuda:1")))


def test_what_a_plugin_prints_is_not_what_a_worker_lacks(tmp_path, capsys):
    (tmp_path / "talks.py").write_text("print('hello')\n")
    (spec,) = plan("random", "quadratic", budget="60nfe", seeds="0")
    assert ask([spec.as_json()], [str(tmp_path / "talks.py")]) == ""
    words = ["run", *WHAT, "--plugin", str(tmp_path / "talks.py"), "--emit", "slurm"]
    assert main([*words, "--out", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out.startswith("#!")


def test_two_drivers_of_one_folder(tmp_path):
    specs, store = plan("random", "quadratic", budget="60nfe", seeds="0"), Store(tmp_path)
    with (
        driving("dask", specs, store),
        pytest.raises(UsageError, match="another process is at work on"),
        driving("dask", specs, store),
    ):
        raise AssertionError


@pytest.mark.parametrize("words", [["--in-process"], ["--jobs", "2"]], ids=" ".join)
def test_an_engine_and_a_local_driver_never_share_a_folder(words, tmp_path, capsys):
    """What an engine sent is locked nowhere here, and would be done twice."""
    store, words = Store(tmp_path), ["run", *WHAT, "--out", str(tmp_path), *words]
    (other,) = plan("random", "quadratic", budget="61nfe", seeds="0")
    with driving("dask", [other], store):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "an engine, by `bench run --engine`, is at work on" in said
        assert said.count("\n") == 1
        assert not list(store)
    assert main(words) == 0
    with driving("dask", [other], store):
        assert main(words) == 0, "nothing is missing"
    with driving("", [other], store), driving("", [other], Store(tmp_path)):
        with (
            pytest.raises(UsageError, match="another process is at work on"),
            driving("ray", [other], store),
        ):
            raise AssertionError
        assert main([*words[:-1], "1", "--engine", "dask"] if "--jobs" in words else words) == 0


@pytest.mark.parametrize("engine", ["", "dask"])
def test_what_is_refused_forgets_no_failed_run(engine, tmp_path, capsys):
    """Whoever drives the folder, --retry-failed comes after the refusal."""
    specs, store = plan("random", "quadratic", budget="60nfe", seeds="0"), Store(tmp_path)
    store.prepare()
    for spec in specs:
        store.folder(spec).mkdir(parents=True)
        store.fail(spec, "broken")
    words = ["run", *WHAT[:4], "--budget", "60nfe", "--seeds", "0", "--marks", "15nfe,30nfe"]
    words += ["--out", str(tmp_path), "--retry-failed", *(["--engine", engine] if engine else [])]
    with driving("" if engine else "dask", plan("random", "quadratic"), store):
        assert main(words) == 2
    assert "is at work on" in capsys.readouterr().err
    assert [run.run["status"] for run in store] == ["failed"]


def test_a_worker_and_an_engine_never_share_a_folder(tmp_path, capsys):
    assert main(["run", *WHAT, "--out", str(tmp_path), "--emit", "slurm"]) == 0
    capsys.readouterr()
    with driving("dask", plan("random", "quadratic"), Store(tmp_path)):
        assert main(["worker", str(tmp_path)]) == 2
        assert "an engine, by `bench run --engine`, is at work on" in capsys.readouterr().err
    assert main(["worker", str(tmp_path)]) == 0


def test_without_the_package_the_cure_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", *WHAT, "--out", str(tmp_path), "--engine", "dask"]) == 2
    assert "pip install 'diffusion-hpo-bench[cluster]'" in capsys.readouterr().err
    assert main(["run", *WHAT, "--out", str(tmp_path), "--address", "tcp://x:1"]) == 2
    assert "--address: expected --engine dask or ray beside it" in capsys.readouterr().err


def test_from_python_an_address_wants_an_engine_and_is_used(cluster, tmp_path):
    cluster.work()
    what = {"budget": "60nfe", "out": tmp_path, "quiet": True}
    found = run("random", "quadratic", engine="dask", address=cluster.address, **what)
    assert list(found.frame["status"]) == ["budget_exhausted"]
    for engine in (None, "local", "in_process"):
        with pytest.raises(UsageError, match="address: expected engine 'dask' or 'ray' beside it"):
            run("random", "quadratic", engine=engine, address=cluster.address, **what)
