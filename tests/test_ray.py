"""The executor on a Ray cluster."""

import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from benchmark import UsageError
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.runs import ray_engine
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.gather import SchedulerLost
from benchmark.runs.ray_engine import RayExecutor
from benchmark.runs.remote import Suite
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from tests.faults.test_methods import BAD, bench
from tests.test_workers import tables_alike

WHAT = ["--plugin", str(BAD), "--method", "slow", "--task", "quadratic", "--budget", "600nfe"]
WHAT += ["--seeds", "0-3", "--quiet"]


def _at_work(driver):
    """The processes of a driver's cluster in which runs are carried out."""
    return [
        p
        for p in psutil.Process(driver.pid).children(recursive=True)
        if "ray::carry_out_alone" in " ".join(p.cmdline())
    ]


def test_a_killed_worker_loses_no_run(tmp_path):
    command = [sys.executable, "-m", "benchmark", "run", *WHAT, "--engine", "ray", "--jobs", "2"]
    out = tmp_path / "runs"
    driver = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    while not (found := _at_work(driver)):
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.05)
    found[0].kill()
    said = driver.communicate(timeout=240)[1]
    assert driver.returncode == 0, said
    assert len(list(out.glob("*/*/*/run.json"))) == 4
    # not in this process, which would keep the plug-in
    done = bench("run", *WHAT, "--jobs", "2", "--out", "own", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tables_alike(out, tmp_path / "own")
    assert main(["verify", str(out)]) == 0


def test_what_is_not_there_is_one_line(loopback, tmp_path, monkeypatch, capsys):
    words = ["run", "--method", "random", "--task", "quadratic", "--budget", "60nfe"]
    words += ["--out", str(tmp_path), "--engine", "ray"]
    assert main([*words, "--address", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert "--address 127.0.0.1:1: expected a Ray cluster that answers; " in said
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(words) == 2
    assert "pip install 'diffusion-hpo-bench[ray]'" in capsys.readouterr().err


def test_a_card_that_no_node_has_and_a_node_that_lacks_a_file(monkeypatch, capsys):
    """Of a cluster of two nodes that is only pretended: there is one machine."""
    nodes = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 2}},
        {"NodeID": "b", "Alive": True, "Resources": {"CPU": 2}},
        {"NodeID": "c", "Alive": False, "Resources": {"CPU": 2, "GPU": 1}},
    ]
    lacks = {"a": "", "b": "suite is not what the runs were planned with"}

    def options(num_cpus, label_selector):
        name = label_selector[ray_engine._NODE]
        return SimpleNamespace(remote=lambda kinds, plugins: lacks[name])

    ray = SimpleNamespace(
        nodes=lambda: nodes,
        remote=lambda function: SimpleNamespace(options=options),
        get=lambda answer: answer,
    )
    monkeypatch.setattr(ray_engine, "_ray", lambda: ray)
    specs = plan("random", "quadratic", budget="60nfe", seeds="0")
    suite = Suite.of(specs, ExecutorSettings(quiet=True))
    assert ray_engine._able(specs, suite, {"num_gpus": 0.0}) == ["a"]
    assert "worker b gets no runs: suite is not what" in capsys.readouterr().err
    with pytest.raises(UsageError, match="expected a node with a card"):
        ray_engine._able(specs, suite, {"num_gpus": 1.0})


def test_a_finished_suite_asks_no_node(tmp_path, monkeypatch):
    specs, store = plan("random", "quadratic", budget="60nfe", seeds="0"), Store(tmp_path)
    run_one(specs[0], store, quiet=True)
    monkeypatch.setattr(ray_engine, "_session", lambda settings: pytest.fail("a cluster starts"))
    assert RayExecutor(ExecutorSettings(quiet=True))(specs, store) == Outcome()


def test_a_lost_head_is_one_line_and_one_that_stands_still_is_waited_for(loopback, monkeypatch):
    """Of a cluster that is only pretended: Ray's own ends the process that it lost."""
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        waits = iter([[], [], ["one"], []])
        ray = SimpleNamespace(
            get_runtime_context=lambda: SimpleNamespace(gcs_address=address),
            wait=lambda sent, timeout: (next(waits, []), sent),
            get=lambda reference: f"the answer of {reference}",
            exceptions=SimpleNamespace(RayError=RuntimeError),
        )
        monkeypatch.setattr(ray_engine, "_ray", lambda: ray)
        monkeypatch.setattr(ray_engine, "_PATIENCE", 0.2)
        answers = ray_engine._answers({"one": 1, "two": 2})
        assert next(answers) == (1, "the answer of one")
    with pytest.raises(SchedulerLost, match=f"the head of the cluster, {address}, is gone"):
        next(answers)
