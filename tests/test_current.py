"""A report that stands is not made again, and one that does not is."""

import json
import os
import shutil
import sys

import pytest

from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.report import current
from benchmark.report.current import STANDS, recall, remember, stamp
from benchmark.report.text_table import TextTable
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.inprocess import InProcessExecutor
from benchmark.store.measured import add_measured
from benchmark.store.store import Store

WORDS = ["run", "--method", "default,random", "--task", "quadratic", "--budget", "460nfe"]
WORDS += ["--seeds", "0-2", "--in-process", "--quiet"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a suite that is done; each test has a copy of it."""
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        # a report knows its files as they were named
        patch.chdir(folder)
        assert main([*WORDS, "--out", "runs"]) == 0
    assert (folder / "runs" / "report" / STANDS).is_file()
    return folder / "runs"


@pytest.fixture
def suite(done, tmp_path, monkeypatch, capsys):
    """A suite that is done; a call says what `bench run` prints and whether it drew a report."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(done, "runs")
    drawn = []

    def run(*more):
        import benchmark.report.report as module

        own = module.report
        monkeypatch.setattr(module, "report", lambda *a, **k: (drawn.append(1), own(*a, **k))[1])
        before = len(drawn)
        assert main([*WORDS, "--out", "runs", *more]) == 0
        monkeypatch.setattr(module, "report", own)
        return capsys.readouterr().out, len(drawn) > before

    return run


def test_a_finished_suite_answers_the_same_without_drawing(suite):
    first, again = suite(), suite()
    assert not first[1]
    assert not again[1]
    assert first[0] == again[0]
    assert "random" in first[0]
    assert "Mean and 95 % interval" in first[0]


def test_its_pages_and_tables_stay_those_of_the_first(suite, tmp_path):
    def content():
        return {p.name: p.read_bytes() for p in (tmp_path / "runs" / "report").iterdir()}

    before = content()
    suite()
    assert content() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "report" / "table1.md").write_text("altered"),
        lambda root: next((root / "report").glob("*.png")).unlink(),
        lambda root: (root / "report" / STANDS).write_text("{"),
        lambda root: (root / "report" / STANDS).write_text('{"stamp": 1}'),
        lambda root: add_measured(
            next(root.glob("quadratic/random/*")), {"later": 1.0}, {"later": "a test"}
        ),
        lambda root: os.utime(next(root.glob("quadratic/random/*/proposals.jsonl")), ns=(1, 1)),
    ],
)
def test_it_is_drawn_again_where_something_changed(change, suite, tmp_path):
    change(tmp_path / "runs")
    said, drawn = suite()
    assert drawn
    assert "random" in said
    assert not suite()[1]


def test_another_run_beside_them_counts(suite, tmp_path):
    """The footnote says how many stored runs belong into the table and are not there."""
    specs = plan("default", "quadratic", budget="460nfe", seeds="7")
    InProcessExecutor(ExecutorSettings(quiet=True))(specs, Store(tmp_path / "runs"))
    assert suite()[1]


def test_other_code_makes_another_report(suite, monkeypatch):
    monkeypatch.setattr(current, "__version__", "0.0.1")
    assert suite()[1]


def test_a_picture_that_could_not_be_drawn_is_tried_again(suite, tmp_path, monkeypatch):
    from benchmark.report import files

    own = files._draw
    monkeypatch.setattr(files, "_draw", lambda *a: (own(*a)[0], ["lam_over_time.png: no"]))
    (tmp_path / "runs" / "report" / "table1.md").unlink()
    assert suite()[1]
    monkeypatch.setattr(files, "_draw", own)
    assert suite()[1]
    assert not suite()[1]


def test_what_is_kept_is_what_comes_back(tmp_path):
    shown = [(TextTable("a", [["Method", "F"], ["m", "1"]], 1, "note"), tmp_path / "set")]
    (tmp_path / "set").mkdir()
    now = stamp(tmp_path, [], [], [])
    remember(tmp_path, now, shown)
    assert recall(tmp_path, now) == shown
    assert recall(tmp_path, "another") is None
    assert json.loads((tmp_path / STANDS).read_text())["stamp"] == now
    (tmp_path / STANDS).write_text("[" * 100_000)
    assert recall(tmp_path, now) is None


def test_a_helper_beside_a_plugin_decides_too(suite, tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "more.py").write_text("import helper\n")
    # loading leaves its folder on the path, and the helper among the modules
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setattr("sys.modules", dict(sys.modules))
    assert suite("--plugin", "more.py")[1]
    assert not suite("--plugin", "more.py")[1]
    os.utime("helper.py", ns=(1, 1))
    assert suite("--plugin", "more.py")[1]
