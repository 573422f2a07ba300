"""What a report costs grows with the number of runs, not with its square; counted in work, not in
seconds.
"""

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import benchmark.report.plots.samples
import benchmark.report.report
import benchmark.store.store
import benchmark.store.stored
from benchmark.command.cli import main
from benchmark.report.comparable import Beside
from benchmark.report.frame import frame
from benchmark.report.report import report, report_folder
from benchmark.report.table import tables
from benchmark.spec import read_spec
from benchmark.store.files import write_atomic
from benchmark.store.store import Store
from tests.made import made


def calls(work):
    """Python's function calls, of the suite's own files."""
    found = 0

    def count(frame, event, arg):
        nonlocal found
        found += event == "call" and "/benchmark/" in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def test_a_report_of_thrice_as_many_runs_takes_thrice_the_calls(tmp_path):
    """Before: 8.3 times, for the end of the longest search was looked for in all runs for each line
    of a picture.
    """
    found = {}
    for seeds in (20, 60):
        made(tmp_path / str(seeds), seeds=seeds, curves=False)
        found[seeds] = calls(lambda seeds=seeds: report_folder(tmp_path / str(seeds)))
    plt.close("all")
    assert 1 < found[60] / found[20] < 3.2


def test_a_table_with_a_row_for_each_run_is_split_in_one_pass(tmp_path, monkeypatch):
    """Before: every row's runs were looked for among all."""
    store = made(tmp_path, methods=[f"m{k:02}" for k in range(30)], seeds=1)
    asked = []
    whole = pd.DataFrame.__getitem__
    monkeypatch.setattr(
        pd.DataFrame, "__getitem__", lambda self, key: asked.append(len(self)) or whole(self, key)
    )
    tables(store)
    assert sum(n == 30 for n in asked) < 30


@pytest.fixture
def reads(monkeypatch):
    """The folders that were read, in order."""
    found, whole = [], benchmark.store.stored.read

    def read(folder):
        found.append(folder)
        return whole(folder)

    for module in (benchmark.store.store, benchmark.report.report):
        monkeypatch.setattr(module, "read", read)
    return found


def test_each_run_is_read_once_by_a_command(tmp_path, monkeypatch, reads):
    """Before: three times by `bench run` of what is stored, and once more for the footnote."""
    monkeypatch.chdir(tmp_path)
    # pictures read nothing that tables have not read
    monkeypatch.setattr("benchmark.report.drawing.draw", lambda table, folder: ([], []))
    words = [
        "run",
        "--method",
        "random,default",
        "--task",
        "quadratic",
        "--budget",
        "20nfe",
        "--in-process",
        "--quiet",
    ]
    assert main([*words, "--seeds", "0-3"]) == 0
    reads.clear()
    assert main([*words, "--seeds", "0-2"]) == 0
    assert len(reads) == len(set(reads)) == 8  # six, and two that the footnote counts
    reads.clear()
    assert main(["report", "results/runs"]) == 0
    assert len(reads) == len(set(reads)) == 8


def test_a_run_that_was_written_since_is_read_again(tmp_path, reads):
    store = made(tmp_path, methods=("alpha",), seeds=1)
    (run,) = store
    spec = read_spec(dict(run.run["spec"]))
    reads.clear()
    assert store.find(spec) is store.find(spec)
    assert len(reads) == 1
    path = run.folder / "run.json"
    text = path.read_text().replace('"error": ""', '"error": "other"')
    write_atomic(path, text)
    assert store.find(spec).run["error"] == "other"
    path.unlink()
    assert store.find(spec) is None


def test_sizes_are_those_of_the_tables(tmp_path):
    made(tmp_path, seeds=3)
    made(tmp_path, methods=("alpha",), seeds=2, passport={"fid_n": "9"}, options={"steps": 4})
    runs = list(Store(tmp_path))
    found = Beside.of(runs).sizes
    assert sorted(found.values()) == [2, 6]
    assert sorted(len(t.runs) for t in tables(runs)) == [2, 6]
    assert len(frame(runs)) == 8


def test_only_the_samples_that_are_shown_are_read(tmp_path, monkeypatch):
    store = made(tmp_path / "runs", seeds=6)
    for run in store:
        Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(run.folder / "samples.png")
    asked, whole = [], benchmark.report.plots.samples.picture
    monkeypatch.setattr(
        benchmark.report.plots.samples, "picture", lambda path: asked.append(path) or whole(path)
    )
    ((table, folder),) = report(list(store), tmp_path / "out")
    assert (folder / "samples.png").exists()
    assert len(asked) <= 2 * len(table.rows)
