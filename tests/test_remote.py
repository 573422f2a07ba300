"""A cluster's worker keeps its fork server for the runs of one suite, and for no other."""

import os
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.plugins.load import load_plugin
from benchmark.registry import METHODS
from benchmark.runs import remote
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.remote import Suite, carry_out_alone, let_go, scratch
from benchmark.store.packed import unpack
from benchmark.store.store import Store


@pytest.fixture(autouse=True)
def kept():
    """The servers of this process, by thread; all have ended afterwards."""
    yield remote._KEPT
    for name, _ in list(remote._KEPT.values()):
        let_go(name)
    assert not remote._KEPT


@pytest.fixture
def specs():
    return plan("random", "quadratic", budget="60nfe", seeds="0-1", marks=[])


def server(kept):
    """The number of this thread's server."""
    return kept[threading.get_ident()][1].parent._process.pid


def test_runs_of_one_suite_share_a_server_and_another_suite_gets_its_own(specs, kept, tmp_path):
    suite = Suite.of(specs, ExecutorSettings(devices=("cpu",)))
    store = Store(tmp_path)
    for spec in specs:
        answer = carry_out_alone(spec.as_json(), suite)
        unpack(answer.packed, spec, store)
        assert store.find(spec).run["status"] == "budget_exhausted"
    first = server(kept)
    assert carry_out_alone(specs[0].as_json(), suite).packed is not None
    assert server(kept) == first
    other = Suite.of(specs, ExecutorSettings(devices=("cpu",)))
    assert carry_out_alone(specs[0].as_json(), other).packed is not None
    assert server(kept) != first
    assert not psutil.pid_exists(first)


def test_a_server_that_is_gone_is_started_again(specs, kept):
    suite = Suite.of(specs, ExecutorSettings(devices=("cpu",)))
    carry_out_alone(specs[0].as_json(), suite)
    process = kept[threading.get_ident()][1].parent._process
    process.kill()
    process.wait()
    answer = carry_out_alone(specs[1].as_json(), suite)
    assert answer.packed is not None, answer.why


def test_each_thread_has_its_own_and_all_end_with_their_suite(specs, kept, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    suite = Suite.of(specs, ExecutorSettings(devices=("cpu",)))
    carry_out_alone(specs[0].as_json(), suite)
    found = []

    def elsewhere():
        found.append(carry_out_alone(specs[1].as_json(), suite).packed is not None)
        found.append(server(kept))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found[0]
    assert found[1] != server(kept)
    let_go("another")
    assert len(kept) == 2
    let_go(suite.name)
    assert not kept
    assert not psutil.pid_exists(found[1])
    # a run's folder goes with it
    assert not list(tmp_path.iterdir())


def test_a_relative_plug_in_is_found_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "early.py").write_text(EARLY)
    monkeypatch.chdir(tmp_path)
    load_plugin(Path("early.py"))
    try:
        (spec,) = plan("early", "quadratic", budget="60nfe", marks=[])
        suite = Suite.of([spec], ExecutorSettings(plugins=(Path("early.py"),)))
        monkeypatch.chdir(tmp_path / "elsewhere")
        answer = carry_out_alone(spec.as_json(), suite)
        assert answer.packed is not None, answer.why
        (tmp_path / "early.py").unlink()
        answer = carry_out_alone(spec.as_json(), suite)
        assert answer.packed is None, "it is no failed run, which would be stored"
        assert answer.why == f"plug-in {tmp_path / 'early.py'}: no such file"
    finally:
        METHODS.entries.pop("early", None)


EARLY = """
from benchmark import fit, register_method

@register_method("early")
def early(problem, rng):
    yield fit(problem, problem.space.default(), 0)
"""


def test_what_a_killed_worker_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old = tmp_path / f"{remote._SCRATCH}old"
    young = tmp_path / f"{remote._SCRATCH}young"
    for folder in (old, young):
        folder.mkdir()
        (folder / remote._HELD).write_text("")
    (tmp_path / f"{remote._SCRATCH}a_file").write_text("")
    os.utime(old, (0, 0))
    with scratch() as one:
        os.utime(one, (0, 0))
        with scratch() as two:
            assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {
                young.name,
                one.name,
                two.name,
            }
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == [young.name]
