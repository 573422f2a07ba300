"""A full disk, a folder that is closed while runs go on, and files that are not what they should
be.
"""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from benchmark.command.cli import main
from benchmark.report.report import rewrite
from benchmark.report.verify import verify
from benchmark.store.seal import sealed
from benchmark.store.store import Store
from tests.faults.test_methods import bench, started, wait_for_proposals

ROOT = os.geteuid() == 0
RUN = ["run", "--method", "random", "--task", "quadratic", "--budget", "200nfe", "--out", "runs"]


@pytest.fixture
def small_disk(tmp_path):
    """2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        not ROOT
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False
        ).returncode
    ):
        pytest.skip("a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_the_suite_and_loses_nothing(small_disk):
    done = bench(*RUN, cwd=small_disk, MPLCONFIGDIR="/tmp")
    before = {p: p.read_bytes() for p in (small_disk / "runs").glob("*/*/*/*.json")}
    assert before, done.stderr
    filler = small_disk / "filler"
    file = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(file, b"x" * 4096):
            continue
    os.close(file)
    done = bench(*RUN, "--seeds", "0-3", cwd=small_disk, MPLCONFIGDIR="/tmp")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    assert "No space left" in done.stderr
    assert {p: p.read_bytes() for p in before} == before
    assert all(r.done or r.open for r in Store(small_disk / "runs"))
    filler.unlink()
    shutil.rmtree(small_disk / "runs" / "report", ignore_errors=True)
    done = bench(*RUN, "--seeds", "0-1", "--in-process", cwd=small_disk, MPLCONFIGDIR="/tmp")
    assert sum(r.done for r in Store(small_disk / "runs")) == 2, done.stderr


def test_a_disk_that_fills_up_in_the_middle_of_a_run(small_disk):
    process = started(small_disk, "--method", "never_yields", "--budget", "1h", "--quiet")
    _, said = process.communicate(timeout=120)  # its journal grows until the disk is full
    assert process.returncode == 1
    assert "No space left" in said
    assert "Traceback" not in said
    assert "the same command goes on" in said
    (found,) = Store(small_disk / "runs")
    assert found.open


def test_a_folder_that_is_closed_in_the_middle_of_a_run(tmp_path):
    """Root without the right to overrule permissions is as any user."""
    if ROOT and not shutil.which("setpriv"):
        pytest.skip("root needs setpriv to give up a right")
    as_user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if ROOT else []
    process = started(
        tmp_path, "--method", "slow", "--budget", "3s", "--seeds", "0-1", "--quiet", before=as_user
    )
    wait_for_proposals(tmp_path)
    (folder,) = (p.parent for p in (tmp_path / "runs").glob("*/*/*/proposals.jsonl"))
    before = (folder / "run.json").read_bytes()
    folder.chmod(0o555)
    _, said = process.communicate(timeout=60)
    folder.chmod(0o755)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "Permission denied" in said
    assert (folder / "run.json").read_bytes() == before
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == [".lock"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of two finished runs, to be copied."""
    root = tmp_path_factory.mktemp("two")
    return finished_runs(root)[0].parents[3]


def finished_runs(tmp_path):
    assert bench(*RUN, "--seeds", "0-1", "--quiet", cwd=tmp_path).returncode == 0
    return sorted((tmp_path / "runs").glob("*/*/*/run.json"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff\xfe" * 100,
        b"[]",
        b'"text"',
        b'{"schema": 99}',
        b"[" * 10000,
        b'{"schema": 1, "spec": 3}',
    ],
    ids=["empty", "truncated", "binary", "list", "text", "future", "deep", "shape"],
)
@pytest.mark.parametrize("name", ["run.json", "final.json"])
def test_a_damaged_file_is_named_and_nothing_is_overwritten(
    name, content, two, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(two, "runs")
    first, second = sorted(Path("runs").glob("*/*/*/run.json"))
    (first.parent / name).write_bytes(content)
    kept = second.read_bytes()
    # a report passes over the one run, and says so; the command that would run it again does not
    for words, status in ((["report", "runs"], 0), ([*RUN, "--seeds", "0-1"], 2)):
        assert main(words) == status
        said = capsys.readouterr().err
        assert name in said
        assert len(said.strip().splitlines()) == 1
        assert (first.parent / name).read_bytes() == content
    assert second.read_bytes() == kept
    assert main(["verify", "runs"]) == 1
    said = capsys.readouterr().out
    assert said.count("FAIL") >= 1
    assert "ok   run" in said


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + b"x" * 50, b"text"])
def test_a_damaged_picture_is_left_out(content, tmp_path):
    first, _ = finished_runs(tmp_path)
    (first.parent / "samples.png").write_bytes(content)
    done = bench("report", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs" / "report" / "samples.png").exists()


@pytest.mark.parametrize("name", ["preset", "task", "method"])
def test_no_name_in_a_run_leads_out_of_the_output_folder(name, tmp_path):
    first, _ = finished_runs(tmp_path)
    record = json.loads(first.read_text())
    record["spec"][name] = "/../../../../evil"
    first.write_text(json.dumps(record))
    done = bench("report", "runs", cwd=tmp_path)
    # the other run is reported, without this one
    assert done.returncode == 0
    assert f"spec.{name}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert len(list(tmp_path.glob("runs/report/**/runs.csv"))) == 1
    assert "evil" not in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


def test_a_folder_copied_in_from_another_machine_counts(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, seed in ((here, "0"), (there, "1")):
        folder.mkdir()
        assert bench(*RUN, "--seeds", seed, "--quiet", cwd=folder).returncode == 0
    (copied,) = (there / "runs").glob("*/*/*/run.json")
    target = here / "runs" / copied.parent.relative_to(there / "runs")
    shutil.copytree(copied.parent, target)
    record = json.loads(copied.read_text())
    record["environment"]["cpus"] = "64"
    (target / "run.json").write_text(json.dumps(sealed(record, target)))
    done = bench(*RUN, "--seeds", "0-1", "--quiet", cwd=here)
    assert "2 of 2 runs are stored already" in done.stderr
    assert "64 CPUs" in done.stdout
    assert [problem for _, problem in verify(here / "runs") if problem] == []


@pytest.mark.parametrize(
    "change", ["seed", "budget", "name", "metric", "ledger", "proposal", "table"]
)
def test_verify_finds_what_was_changed(change, tmp_path):
    first, _ = finished_runs(tmp_path)
    record, final = (
        json.loads(first.read_text()),
        json.loads((first.parent / "final.json").read_text()),
    )
    if change == "seed":
        record["spec"]["seed"] = 7
    elif change == "budget":
        record["spec"]["budget"] = "100nfe"
    elif change == "ledger":
        record["ledger"]["objective"] += 5.0
    elif change == "metric":
        final["tests"][-1]["metrics"]["objective"] = 0.0
    elif change == "proposal":
        final["tests"][-1]["lam"]["a"] += 0.1
    elif change == "name":
        first.parent.rename(first.parent.with_name("0123456789abcdef"))
    elif change == "table":
        path = tmp_path / "runs" / "report" / "table1.csv"
        path.write_text(path.read_text().replace("random,", "random,").replace(",2,0,", ",3,0,"))
    if change != "name":
        first.write_text(json.dumps(record))
        (first.parent / "final.json").write_text(json.dumps(final))
    found = {what: problem for what, problem in verify(tmp_path / "runs") if problem}
    assert found
    assert "table report" in found
    if change == "name":
        assert found["table report"] == "1 of its 2 runs are not stored"


@pytest.mark.parametrize(
    "column",
    ["search_seconds", "nfe", "peak_memory_bytes", "method", "seed", "fid", "lam.a", "objective"],
)
def test_verify_finds_what_was_changed_in_a_table(column, tmp_path):
    """Even where the table was then made again from it."""
    finished_runs(tmp_path)
    report = tmp_path / "runs" / "report"
    assert {p for _, p in verify(tmp_path / "runs")} == {""}
    runs = pd.read_csv(report / "runs.csv")
    if column == "method":
        runs[column] = "grid"
    elif column == "fid":
        runs[column] = 0.5
    else:
        runs[column] = runs[column] + 1
    runs.to_csv(report / "runs.csv", index=False)
    rewrite(report)
    found = dict(verify(tmp_path / "runs"))
    assert column in found["table report"]


@pytest.mark.parametrize("name", ["table1.tex", "table1.md"])
def test_verify_finds_other_digits(name, tmp_path):
    finished_runs(tmp_path)
    path = tmp_path / "runs" / "report" / name
    path.write_text(path.read_text().replace("1", "2"))
    assert f"{name} does not follow" in dict(verify(tmp_path / "runs"))["table report"]
