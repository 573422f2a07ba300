"""What is stored survives: atomic writes, torn lines, other versions, and the same command
twice.
"""

import json
import os

import numpy as np
import pytest

from benchmark import UsageError, load_results, run
from benchmark.command.parse import plan_from_text as plan
from benchmark.report.frame import columns
from benchmark.report.look import picture
from benchmark.report.report import report_folder
from benchmark.report.verify import verify
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.inprocess import InProcessExecutor
from benchmark.runs.runner import run_one
from benchmark.store.files import write_atomic
from benchmark.store.schema import Unreadable
from benchmark.store.store import Store, read
from benchmark.store.writer import Writer
from tasks.quadratic import Quadratic


@pytest.fixture
def stored(tmp_path):
    (spec,) = plan("random", "quadratic", budget="300nfe", settings=["random.trials=9"])
    store = Store(tmp_path)
    assert run_one(spec, store, quiet=True) == "ok"
    return store, spec


def test_a_run_is_one_folder_named_by_its_specification(stored, tmp_path):
    store, spec = stored
    folder = tmp_path / "quadratic" / "random" / spec.run_id
    kept = {"run.json", "proposals.jsonl", "trials.jsonl", "final.json"}
    assert {p.name for p in folder.iterdir()} == kept
    found = store.find(spec)
    assert found is not None
    assert found.done
    assert found.run["spec"]["method_options"] == {"trials": 9}
    assert found.proposals[-1]["lam"] == found.tests[-1]["lam"]
    assert sum(found.run["ledger"].values()) > 0


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": "1"},
        {"budget": "301nfe"},
        {"settings": ["random.trials=8"]},
        {"settings": ["quadratic.rate=0.4"]},
        {"marks": ["7nfe"]},
    ],
)
def test_a_changed_command_never_reuses(stored, change):
    _, spec = stored
    (other,) = plan(
        "random", "quadratic", **({"budget": "300nfe", "settings": ["random.trials=9"]} | change)
    )
    assert other.run_id != spec.run_id


def test_options_are_part_of_the_identity_even_at_their_defaults():
    (plain,) = plan("random", "quadratic")
    (same,) = plan("random", "quadratic", settings=["random.trials=20"])
    assert plain.run_id == same.run_id
    assert plain.method_options == {"trials": 20}


def test_torn_lines_are_dropped_and_counted(stored):
    store, spec = stored
    path = store.folder(spec) / "proposals.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seconds": 1.0, "nfe": 3, "la')
    found = read(store.folder(spec))
    assert (found.torn, len(found.proposals)) == (1, len(whole.splitlines()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a run's JSON"),
        ("", "expected a run's JSON"),
        ("[1]", "schema 1 or 2, got None"),
        ('{"schema": 99}', "schema 1 or 2, got 99"),
        ('{"schema": 1}', "run_id: Field required"),
    ],
)
def test_files_that_cannot_be_read_are_named(stored, text, message):
    store, spec = stored
    (store.folder(spec) / "run.json").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        list(store)
    assert "run.json" in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "final.json"])
def test_one_unreadable_run_does_not_hide_the_others(name, tmp_path, capsys):
    run("random,grid", "quadratic", out=tmp_path, budget="60nfe", seeds="0-1", marks=[])
    path = min(tmp_path.glob(f"*/*/*/{name}"))
    path.write_text("{")
    capsys.readouterr()
    assert len(load_results(tmp_path)) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bench: passed over: {path}: expected a run's JSON")
    ((table, _),) = report_folder(tmp_path)
    assert sum(row.runs for row in table.rows) == 3
    assert sum(bool(problem) for _, problem in verify(tmp_path)) >= 1


def test_what_could_not_be_read_back_is_not_written(stored):
    store, spec = stored
    before = (store.folder(spec) / "run.json").read_bytes()
    writer = Writer(store.folder(spec))
    with pytest.raises(Unreadable, match="status: "):
        writer.run({**json.loads(before), "status": "fine"})
    with pytest.raises(Unreadable, match="lam: "):
        writer.proposal({"seconds": 1.0, "nfe": 1, "lam": 3, "loss": 1.0})
    assert (store.folder(spec) / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [None, '{"schema": 1}', '{"schema": 1, "tests": []}', '{"schema": 1, "tests": [{"lam": 3}]}'],
)
def test_a_finished_run_without_measurements_is_named(stored, text):
    store, spec = stored
    path = store.folder(spec) / "final.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UsageError, match=r"final.json"):
        list(store)


def test_a_line_without_a_loss_is_dropped_once(stored):
    store, spec = stored
    path = store.folder(spec) / "proposals.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[0])
    del record["loss"]
    path.write_text("\n".join([json.dumps(record), *lines]))
    found = read(store.folder(spec))
    assert (found.torn, len(found.proposals)) == (1, len(lines))


def test_binary_garbage_is_named(stored):
    store, spec = stored
    (store.folder(spec) / "final.json").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match=r"final.json"):
        list(store)


def test_atomic_writes_leave_the_old_file_when_they_fail(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomic(path, "old")
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"


def test_same_seed_same_records_from_python_and_nothing_runs_twice(tmp_path):
    first = run("random,grid", "quadratic", out=tmp_path / "a", budget="300nfe", seeds="0-1")
    second = run("random,grid", "quadratic", out=tmp_path / "b", budget="300nfe", seeds="0-1")
    first, second = first.frame, second.frame
    assert list(first.columns)[: len(columns())] == list(columns())
    assert np.array_equal(first["lam.a"], second["lam.a"])
    assert list(first["run_id"]) == list(second["run_id"])
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*.json")}
    run("random,grid", "quadratic", out=tmp_path / "a", budget="300nfe", seeds="0-1")
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*.json")}
    assert len(load_results(tmp_path / "a")) == 4


def test_a_run_that_was_cut_short_is_run_again(stored):
    store, spec = stored
    path = store.folder(spec) / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"status": "running"}))
    assert not store.find(spec).done
    run("random", "quadratic", out=store.root, budget="300nfe", options={"random.trials": 9})
    assert store.find(spec).done


def test_a_run_that_is_refused_in_this_process_was_never_begun(tmp_path, monkeypatch):
    """As one in a process of its own: what was refused once may be right the next time."""
    (spec,) = plan("random", "quadratic", budget="100nfe")
    store, executor = Store(tmp_path), InProcessExecutor(ExecutorSettings(quiet=True))

    def refuse(self, *args):
        raise UsageError("no such file")

    with monkeypatch.context() as patch:
        patch.setattr(Quadratic, "open", refuse)
        outcome = executor([spec], store)
    assert "no such file" in outcome.refused
    assert store.find(spec) is None
    assert [p.name for p in store.folder(spec).iterdir()] == [".lock"]
    assert executor([spec], store) == Outcome()
    assert store.find(spec).done


@pytest.mark.parametrize("name", ["run.json", "final.json", "proposals.jsonl"])
def test_a_pipe_in_place_of_a_file_is_named_and_not_waited_for(name, stored):
    """Nobody will ever write into it."""
    store, spec = stored
    path = store.folder(spec) / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UsageError, match=f"{name}: .*no regular file"):
        store.find(spec)


def test_a_pipe_in_place_of_a_picture_is_left_out(tmp_path):
    os.mkfifo(tmp_path / "samples.png")
    assert picture(tmp_path / "samples.png") is None
