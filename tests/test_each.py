"""One run for each cell: copies count once, conflicts are named, and a folder of another name is
passed over.
"""

import json
import shutil

import pytest

from benchmark import UsageError, run
from benchmark.budget import Budget
from benchmark.device import environment
from benchmark.report.notes import footnote
from benchmark.report.reading import reading
from benchmark.report.report import report_folder
from benchmark.report.runs_csv import read_frame
from benchmark.report.table import tables, tables_of
from benchmark.report.verify import verify
from benchmark.spec import identity
from benchmark.store.store import Misplaced, Store, read
from tests.made import made

FIRST, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def copied(folder, change=lambda record: None, score=None, **spec):
    """A copy of a run as somebody would make it by hand, with a name that fits; its folder."""
    record = json.loads((folder / "run.json").read_text())
    record["spec"] |= spec
    change(record)
    record["run_id"] = identity(record["spec"])
    target = folder.parent / record["run_id"]
    if target == folder:  # places are no part of the name
        target = folder.parent.parent / "elsewhere" / folder.name
    shutil.copytree(folder, target)
    (target / "run.json").write_text(json.dumps(record))
    if score is not None:
        final = json.loads((target / "final.json").read_text())
        final["tests"][-1]["metrics"]["fid"] = score
        (target / "final.json").write_text(json.dumps(final))
    return target


def the_run(root, method="alpha", seed=0):
    return next(
        r for r in Store(root) if (r.run["spec"]["method"], r.run["spec"]["seed"]) == (method, seed)
    ).folder


def the_table(root, **options):
    (table,) = tables(Store(root), **options)
    return table


COPIES = {
    "marks": {"marks": ["100nfe"]},
    "no marks": {"marks": []},
    "places": {"places": {"model": "elsewhere"}},
    "a setting that nobody knows": {"more": 1},
    "an option that no other run has": {"method_options": {"more": 1}},
    "a hash of a file's place": {"places": {"model": "a"}, "marks": ["1nfe"]},
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copies_of_a_run_count_once_and_are_no_conflict(change, tmp_path):
    made(tmp_path, started=FIRST)
    before = the_table(tmp_path)
    copied(the_run(tmp_path), lambda r: r.update(started=LATER), **change)
    after = the_table(tmp_path)
    assert [(r.label, r.runs, r.metrics) for r in after.rows] == [
        (r.label, r.runs, r.metrics) for r in before.rows
    ]
    assert after.conflicts == []
    assert footnote(after) == footnote(before)


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("started", [LATER, FIRST, "", None])
def test_a_later_copy_with_another_result_does_not_count_and_is_named(change, started, tmp_path):
    made(tmp_path, started="2025-12-31T00:00:00Z")
    before = the_table(tmp_path)
    original = the_run(tmp_path, seed=1)
    copied(
        original,
        lambda r: r.update(started=started) if started is not None else r.pop("started"),
        0.001,
        **change,
    )
    after = the_table(tmp_path)
    assert [(r.runs, r.metrics) for r in after.rows] == [(r.runs, r.metrics) for r in before.rows]
    ((kept, other),) = after.conflicts
    assert (kept.folder, other.tests[-1]["metrics"]["fid"]) == (original, 0.001)
    assert (
        "1 finished runs do not count, since one of the same row, seed and prompt, with another "
        "result, was started "
        f"first; the first: alpha, seed 1 ({original.name} counts, {other.run['run_id']} does not)."
    ) in footnote(after)


def test_all_that_do_not_count_are_counted(tmp_path):
    made(tmp_path, started=FIRST)
    for k in range(3):
        copied(the_run(tmp_path), lambda r: r.update(started=LATER), 0.1 + k, marks=[f"{k + 1}nfe"])
    copied(the_run(tmp_path), lambda r: r.update(started=LATER), 0.05, method_options={"more": 1})
    assert len(the_table(tmp_path).conflicts) == 4


def test_a_report_with_a_conflict_is_verified(tmp_path):
    made(tmp_path, started=FIRST)
    copied(the_run(tmp_path), lambda r: r.update(started=LATER), 0.001, marks=[])
    report_folder(tmp_path)
    assert [
        problem for what, problem in verify(tmp_path) if problem and what.startswith("table")
    ] == []


def test_another_mark_makes_another_moment_readable(tmp_path):
    """What `--at` needs was measured by the later run alone."""
    run("grid", "quadratic", out=tmp_path, budget="200nfe", marks=[])
    with pytest.raises(UsageError, match="run with --marks 60nfe"):
        the_table(tmp_path, at=Budget.parse("60nfe"))
    run("grid", "quadratic", out=tmp_path, budget="200nfe", marks=["60nfe"])
    table = the_table(tmp_path, at=Budget.parse("60nfe"))
    assert [r.run["spec"]["marks"] for r in table.runs] == [["60nfe"]]
    assert table.rows[0].runs == 1


def test_a_finished_run_counts_before_a_failed_one(tmp_path):
    made(tmp_path, methods=("alpha",), seeds=1, started=LATER)
    copied(
        the_run(tmp_path),
        lambda r: r.update(started=FIRST, status="failed", error="it fell"),
        marks=[],
    )
    (row,) = the_table(tmp_path).rows
    assert (row.runs, row.failed) == (1, 0)


@pytest.mark.parametrize("hashed", ["method code", "method alpha"])
def test_two_versions_of_a_method_are_two_rows(hashed, tmp_path):
    """Of a plug-in under schema 1 too; as much of the hash is shown as tells them apart."""
    made(tmp_path, methods=("alpha",), seeds=2, started=FIRST)
    for folder in [r.folder for r in Store(tmp_path)]:
        for digest in ("aaaaaa1", "aaaaaa2"):
            copied(folder, fingerprint={hashed: digest})
        shutil.rmtree(folder)
    labels = [r.label for r in the_table(tmp_path).rows]
    assert [r.runs for r in the_table(tmp_path).rows] == [2, 2]
    assert len(set(labels)) == 2
    if hashed == "method code":
        assert labels == ["alpha (code aaaaaa1)", "alpha (code aaaaaa2)"]


@pytest.mark.parametrize("hashed", ["task code", "suite"])
def test_two_versions_of_a_task_or_of_the_suite_are_two_tables(hashed, tmp_path):
    made(tmp_path, methods=("alpha",), seeds=2)
    for folder in [r.folder for r in Store(tmp_path)]:
        copied(folder, fingerprint={hashed: "another"})
    assert [t.rows[0].runs for t in tables(Store(tmp_path))] == [2, 2]


def test_a_failure_of_other_code_or_settings_is_in_no_table_of_these(tmp_path):
    """What failed has no passport; what is known of it says where it belongs."""
    hashes, failed = (
        {"suite": "1", "task code": "a", "method code": "m"},
        {"status": "failed", "error": "it fell"},
    )
    made(tmp_path, methods=("alpha",), seeds=3)
    for run_ in list(Store(tmp_path)):
        folder = copied(run_.folder, fingerprint=hashes)
        shutil.rmtree(run_.folder)
        if run_.run["spec"]["seed"] == 2:
            copied(folder, lambda r: r.update(failed), fingerprint=hashes | {"task code": "b"})
            copied(folder, lambda r: r.update(failed), seed=7)
            copied(folder, lambda r: r.update(failed), seed=8, task_options={"rate": 1.0})
    found = {
        tuple(sorted(zip(t.frame["seed"], t.frame["status"], strict=True)))
        for t in tables(Store(tmp_path))
    }
    assert found == {
        ((0, "ok"), (1, "ok"), (2, "ok"), (7, "failed")),
        ((2, "failed"),),
        ((8, "failed"),),
    }
    for table, folder in report_folder(tmp_path):
        (again,) = tables_of(read_frame(folder / "runs.csv"))
        assert [(r.runs, r.failed) for r in again.rows] == [(r.runs, r.failed) for r in table.rows]


def test_a_folder_of_another_name_is_passed_over_and_said(tmp_path, capsys):
    made(tmp_path)
    before = the_table(tmp_path)
    folder = the_run(tmp_path)
    shutil.copytree(folder, folder.parent / "copy")
    shutil.copytree(folder, folder.parent / ("0" * 16))
    capsys.readouterr()
    ((table, out),) = report_folder(tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert [
        line.startswith("bench: passed over: ") and f"the run {folder.name}; rename it" in line
        for line in said
    ] == [True] * 2
    assert [(r.runs, r.metrics) for r in table.rows] == [(r.runs, r.metrics) for r in before.rows]
    note = (
        "2 folders were passed over, which have another name than their run; the first: "
        f"schedule/alpha/{'0' * 16}."
    )
    assert note in footnote(table)
    assert note in (out / "table1.md").read_text(encoding="utf-8")
    assert {what for what, problem in verify(tmp_path) if "its folder is called" in problem} == {
        f"run schedule/alpha/{'0' * 16}",
        "run schedule/alpha/copy",
    }


def test_a_run_in_anothers_folder_is_not_taken_for_stored(tmp_path):
    from benchmark.command.parse import plan_from_text as plan

    one, two = plan("random", "quadratic", budget="100nfe", seeds="0-1")
    run("random", "quadratic", out=tmp_path, budget="100nfe", seeds="0")
    store = Store(tmp_path)
    shutil.copytree(store.folder(one), store.folder(two))
    with pytest.raises(UsageError, match=f"called {two.run_id}, the run {one.run_id}; rename it"):
        store.find(two)
    with pytest.raises(Misplaced):
        read(store.folder(two))
    assert read(store.folder(one)).done


def machines_of(root, *names):
    for k, found in enumerate(
        sorted((r.folder for r in Store(root)), key=lambda f: (f.parent.name, f.name))
    ):
        record = json.loads((found / "run.json").read_text())
        record["environment"] |= names[k % len(names)]
        (found / "run.json").write_text(json.dumps(record))


def test_seconds_of_other_machines_are_marked_and_named(tmp_path):
    made(tmp_path, methods=("alpha", "beta"), seeds=3)
    for r in Store(tmp_path):
        record = json.loads((r.folder / "run.json").read_text())
        odd = (record["spec"]["method"], record["spec"]["seed"]) == ("beta", 2)
        record["environment"] |= {"cpu": "Slow 3" if odd else "Fast 9"}
        (r.folder / "run.json").write_text(json.dumps(record))
    ((table, folder),) = report_folder(tmp_path)
    assert [(r.label, r.shared) for r in table.rows] == [("alpha", False), ("beta", True)]
    said = (
        "Seconds are from 2 kinds of machine: Fast 9 (5 runs); Slow 3 (1 runs); do not compare "
        "them (†: not all"
    )
    assert said in reading(table)
    written = (folder / "table1.md").read_text(encoding="utf-8")
    assert [
        line.count("†") for line in written.splitlines() if line.startswith(("| alpha", "| beta"))
    ] == [0, 1]
    assert [
        problem for what, problem in verify(tmp_path) if problem and what.startswith("table")
    ] == []


def test_one_kind_of_machine_is_not_worth_a_word(tmp_path):
    made(tmp_path, environment={"cpu": "Fast 9", "cpus": "2", "threads": "1", "torch": "2.5"})
    table = the_table(tmp_path)
    assert "kinds of machine" not in reading(table)
    assert "Not the same" not in footnote(table)
    assert not any(r.shared for r in table.rows)


def test_the_gpu_counts_for_runs_on_one(tmp_path):
    made(tmp_path, methods=("alpha",), seeds=2)
    for folder in [r.folder for r in Store(tmp_path)]:
        for device in ("cpu", "cuda"):
            gpu = f"card {json.loads((folder / 'run.json').read_text())['spec']['seed']}"
            copied(
                folder,
                lambda r, gpu=gpu: r.update(environment={"cpu": "Fast 9", "gpu": gpu}),
                device=device,
            )
    tables_ = {t.runs[0].run["spec"]["device"]: t for t in tables(Store(tmp_path))}
    assert "Fast 9, card 0 (1 runs); Fast 9, card 1 (1 runs)" in reading(tables_["cuda"])
    assert "kinds of machine" not in reading(tables_["cpu"])


def test_versions_and_cards_that_differ_are_named(tmp_path):
    """Of runs from before the CPU's model was stored too."""
    made(tmp_path, methods=("alpha",), seeds=4)
    machines_of(tmp_path, {"torch": "2.14.1", "gpu": "H100"}, {"torch": "2.15.0", "gpu": "H200"})
    table = the_table(tmp_path)
    assert (
        "Not the same in all runs: torch 2.14.1 (2 runs), 2.15.0 (2 runs); gpu H100 (2 runs), "
        "H200 (2 runs)." in footnote(table)
    )
    assert [r.shared for r in table.rows] == [False]


def test_the_cpus_model_is_recorded():
    from pathlib import Path

    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if "model name" not in text:
        pytest.skip("not a Linux that names it")
    assert environment()["cpu"]
    assert (
        " ".join(text.split("model name")[1].splitlines()[0].partition(":")[2].split())
        == environment()["cpu"]
    )
