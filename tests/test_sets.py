"""A report of several tables and one of a single table in the same place, one after the other."""

import json
import shutil

import pytest

from benchmark.report.explorer import EXPLORE
from benchmark.report.record import ReportRecord
from benchmark.report.report import report_folder
from benchmark.report.sets import SETS, remember_sets
from tests.made import made


@pytest.fixture
def root(tmp_path):
    made(tmp_path / "runs")
    return tmp_path / "runs"


def beside(root):
    """Runs of another table."""
    made(root, budget="2000nfe")


def found(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob(f"*{EXPLORE}")}


def test_a_second_table_leaves_no_page_of_the_first_on_top(root):
    ((_, out),) = report_folder(root)
    mine = out / "my notes.txt"
    mine.write_text("a user's")
    assert found(out) == {EXPLORE}
    beside(root)
    written = report_folder(root)
    assert len(written) == 2
    assert found(out) == {f"{folder.name}/{EXPLORE}" for _, folder in written}
    assert {p.name for p in out.iterdir() if p.is_file()} == {
        SETS,
        "across.csv",
        "across.png",
        mine.name,
    }
    # and the other way round
    for run in root.glob("*/*/*/run.json"):
        if json.loads(run.read_text())["spec"]["budget"] == "2000nfe":
            shutil.rmtree(run.parent)
    report_folder(root)
    assert found(out) == {EXPLORE}
    assert not [p for p in out.iterdir() if p.is_dir()]
    assert not (out / SETS).exists()
    assert mine.read_text() == "a user's"


def test_a_report_of_somebody_else_stays(tmp_path):
    """Only what an earlier report to this place made is removed."""
    out, folders = tmp_path / "out", [tmp_path / "other", tmp_path / "out" / "below"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / EXPLORE).write_text("a page")
        ReportRecord(files={EXPLORE: "0" * 64}).write(folder)
    for text in ('{"folders": ["../other"]}', '{"folders": 3}', "no JSON", '{"folders": [".."]}'):
        (out / SETS).write_text(text)
        remember_sets(out, [out])
        assert not (out / SETS).exists()
        assert all((folder / EXPLORE).exists() for folder in folders)
    # the same folder, where the report there says that it made it
    remember_sets(out, folders[1:])
    remember_sets(out, [out])
    assert not folders[1].exists()
    assert folders[0].exists()
