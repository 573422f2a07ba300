"""What every executor promises: each run is stored, or left resumable with the reason."""

from dataclasses import replace

import pytest

from benchmark import UsageError, run
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import Refused, StorageError
from benchmark.registry import EXECUTORS, Entry
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.inprocess import InProcessExecutor
from benchmark.runs.runner import run_one
from benchmark.runs.supervisor import LocalExecutor
from benchmark.store.store import Store
from tasks.quadratic import Quadratic
from tests.test_resume import Killed, cut_short

BOTH = pytest.mark.parametrize("kind", [InProcessExecutor, LocalExecutor])
QUIET = ExecutorSettings(quiet=True)


def specs_of(seeds):
    return plan("random", "quadratic", budget="60nfe", seeds=seeds, marks=[])


@BOTH
def test_every_run_is_stored_and_none_twice(kind, tmp_path):
    specs, store = specs_of("0-1"), Store(tmp_path)
    assert kind(QUIET)(specs[:1], store) == Outcome()
    first = store.find(specs[0]).run
    assert kind(QUIET)(specs, store) == Outcome()
    assert [store.find(s).run["status"] for s in specs] == ["budget_exhausted"] * 2
    assert store.find(specs[0]).run == first


@BOTH
def test_a_run_that_was_cut_short_is_resumed(kind, tmp_path, monkeypatch):
    (spec,), store = specs_of("0"), Store(tmp_path)
    cut_short(spec, store, monkeypatch, 30)
    assert kind(QUIET)([spec], store) == Outcome()
    assert store.find(spec).run["resumed"] == 1


@BOTH
def test_a_run_that_cannot_be_set_up_is_refused_and_not_stored(kind, tmp_path):
    (spec,), store = specs_of("0"), Store(tmp_path)
    other = replace(spec, fingerprint={**spec.fingerprint, "method code": "another"})
    outcome = kind(QUIET)([other], store)
    assert "changed after" in outcome.refused
    assert (outcome.broken, outcome.stopped) == ("", False)
    assert store.find(other) is None
    assert kind(QUIET)([spec], store) == Outcome()


def test_a_run_that_is_refused_when_it_goes_on_keeps_what_it_had(tmp_path, monkeypatch):
    """Its files were right when it was begun, and may be again."""
    (spec,), store = specs_of("0"), Store(tmp_path)
    cut_short(spec, store, monkeypatch, 30)
    before = {p.name: p.read_bytes() for p in store.folder(spec).glob("*calls.jsonl")}

    def refuse(self, *args):
        raise UsageError("no such file")

    with monkeypatch.context() as patch:
        patch.setattr(Quadratic, "open", refuse)
        assert "no such file" in InProcessExecutor(QUIET)([spec], store).refused
    assert {p.name: p.read_bytes() for p in store.folder(spec).glob("*calls.jsonl")} == before != {}
    assert InProcessExecutor(QUIET)([spec], store) == Outcome()
    # the refused attempt is one too
    assert store.find(spec).run["resumed"] == 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StorageError("the disk is full"), Outcome(broken="the disk is full")),
        (Refused("no such file"), Outcome(refused="no such file")),
        (KeyboardInterrupt(), Outcome(stopped=True)),
    ],
)
def test_what_ends_a_run_in_this_process_is_the_outcome(error, outcome, tmp_path, monkeypatch):
    def run_one(*args, **options):
        raise error

    monkeypatch.setattr("benchmark.runs.inprocess.run_one", run_one)
    found = InProcessExecutor(QUIET)(specs_of("0-1"), Store(tmp_path))
    assert found == outcome
    with pytest.raises(type(error)):
        found.check()


def test_an_outcome_without_a_reason_raises_nothing():
    Outcome().check()


def test_what_another_process_is_at_work_on_is_left_to_it(tmp_path):
    (spec,), store = specs_of("0"), Store(tmp_path)
    with store.lock(spec) as lock:
        assert lock is not None
        assert InProcessExecutor(QUIET)([spec], store) == Outcome()
        assert store.find(spec) is None


def test_an_error_that_is_no_reason_passes(tmp_path, monkeypatch):
    """Such as a kill in the middle: it must not look like an end."""
    monkeypatch.setattr(
        "benchmark.runs.inprocess.run_one", lambda *a, **o: (_ for _ in ()).throw(Killed())
    )
    with pytest.raises(Killed):
        InProcessExecutor(QUIET)(specs_of("0"), Store(tmp_path))


class Uncallable:
    """It takes its settings and nothing else."""

    def __init__(self, settings):
        pass


def raises(settings):
    def execute(specs, store):
        run_one(specs[0], store, quiet=True)
        raise RuntimeError("the queue is gone")

    return execute


BROKEN = {
    "returns None": (lambda settings: lambda specs, store: None, 2, "to return an Outcome, got No"),
    "no __call__": (Uncallable, 2, "is called with (specs, store), got <tests.test_executor.Uncal"),
    "makes None": (lambda settings: None, 2, "is called with (specs, store), got None"),
    "no factory": (3, 2, "expected what is called with (settings), got 3"),
    "raises": (raises, 1, "executor 'theirs' failed: RuntimeError: the queue is gone"),
}


def registered(monkeypatch, factory):
    EXECUTORS.complete()
    entry = Entry("theirs", "a test", lambda: factory)
    monkeypatch.setitem(EXECUTORS.entries, "theirs", entry)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_executor_is_one_line_that_names_it(kind, tmp_path, monkeypatch, capsys):
    factory, status, message = BROKEN[kind]
    registered(monkeypatch, factory)
    with pytest.raises(UsageError, match="executor 'theirs'") as caught:
        run("random", "quadratic", budget="60nfe", engine="theirs", out=tmp_path / "python")
    assert message in str(caught.value)
    words = ["--method", "random", "--task", "quadratic", "--budget", "60nfe", "--seeds", "0-1"]
    words += ["--engine", "theirs", "--out", str(tmp_path / "command")]
    assert main(["run", *words]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bench: executor 'theirs'")
    assert message in line
    if kind == "raises":
        assert line.endswith("1 of 2 runs are stored; the same command goes on with the others")


def test_an_executor_that_leaves_runs_out_is_told_of(tmp_path, monkeypatch, capsys):
    registered(monkeypatch, lambda settings: lambda specs, store: Outcome())
    results = run("random", "quadratic", budget="60nfe", seeds="0-1", engine="theirs", out=tmp_path)
    assert len(results) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "bench: 2 of 2 runs are not stored; the first: quadratic, random, seed 0; "
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "local", "--in-process"], "expected no other --engine beside it, got 'loc"),
        (["--engine", "nope", "--in-process"], "expected no other --engine beside it, got 'nope'"),
        (["--engine", "nope", "--dry-run"], "unknown executor 'nope'"),
    ],
)
def test_an_engine_that_would_not_be_used_is_refused(words, message, tmp_path, capsys):
    start = ["run", "--method", "random", "--task", "quadratic", "--out", str(tmp_path / "runs")]
    assert main([*start, *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
