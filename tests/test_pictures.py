"""Pictures take no table with them: one that fails is a line, and none goes through a link or is
left half written.
"""

import json
import os
import re
import sys

import pytest
from matplotlib import pyplot as plt

from benchmark import register_plot
from benchmark.command.cli import main
from benchmark.registry import PLOTS, Entry
from benchmark.report.look import finish
from benchmark.report.report import report
from benchmark.report.verify import verify
from tests.made import made


def without(run, metric, where):
    path = run.folder / "final.json"
    final = json.loads(path.read_text())
    for k in where:
        final["tests"][k]["metrics"].pop(metric)
    path.write_text(json.dumps(final))


@pytest.mark.parametrize("where", [(0,), (1,), (0, 1)])
def test_a_metric_that_some_measurements_lack_is_drawn_where_it_is(tmp_path, where):
    """Before: KeyError: 'fid', and no table."""
    store = made(tmp_path / "runs")
    without(next(iter(store)), "fid", where)
    ((table, folder),) = report(list(store), tmp_path / "out", metric="fid")
    assert table.undrawn == ()
    assert (folder / "quality_over_time.png").exists()
    assert (folder / "table1.md").exists()


def test_a_picture_that_fails_is_one_line_and_a_note(tmp_path, monkeypatch, capsys):
    made(tmp_path / "runs")

    def broken(table):
        raise KeyError("fid\x1b[31m")

    monkeypatch.setitem(PLOTS.complete(), "curves", Entry("curves", "built-in", lambda: broken))
    assert main(["report", str(tmp_path / "runs"), "--format", "md,csv,latex,html"]) == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("bench: not drawn: curves.png: KeyError: ")
    assert "\x1b" not in said
    folder = tmp_path / "runs" / "report"
    for name in ("table1.md", "report.html"):
        assert "Not drawn: curves.png: KeyError" in (folder / name).read_text()
    page = (folder / "report.html").read_text()
    assert 'alt="curves"' not in page
    assert 'alt="lam over time"' in page
    # one file: pictures are in it
    assert {src[:22] for src in re.findall(r'src="([^"]*)"', page)} == {"data:image/png;base64,"}
    assert (folder / "table1.tex").exists()
    assert not (folder / "curves.png").exists()
    assert dict(verify(tmp_path / "runs"))["table report"] == ""


@pytest.fixture
def plots(monkeypatch):
    """The registry of plots, in which what a test registers does not stay."""
    monkeypatch.setattr(PLOTS, "entries", dict(PLOTS.complete()))
    return PLOTS


def test_a_plug_ins_plot_is_drawn_listed_and_verified(tmp_path, plots):
    made(tmp_path / "runs")

    @register_plot("runs_by_method")
    def runs_by_method(table):
        figure, axes = plt.subplots()
        axes.bar([r.label for r in table.rows], [r.runs for r in table.rows])
        return figure

    assert main(["report", str(tmp_path / "runs"), "--format", "md,csv,html"]) == 0
    folder = tmp_path / "runs" / "report"
    assert (folder / "runs_by_method.png").read_bytes()[:4] == b"\x89PNG"
    assert 'alt="runs by method"' in (folder / "report.html").read_text()
    made_of = json.loads((folder / "report.json").read_text())
    assert "runs_by_method.png" in made_of["files"]
    assert made_of["pictures"][-1] == "runs_by_method.png"
    assert dict(verify(tmp_path / "runs"))["table report"] == ""
    altered = {**made_of, "pictures": made_of["pictures"][:-1]}
    (folder / "report.json").write_text(json.dumps(altered))
    found = dict(verify(tmp_path / "runs"))["table report"]
    assert "report.html does not follow" in found
    (folder / "report.json").write_text(json.dumps(made_of))
    del plots.entries["runs_by_method"]
    assert dict(verify(tmp_path / "runs"))["table report"] == ""
    assert main(["report", str(tmp_path / "runs")]) == 0
    assert not (folder / "runs_by_method.png").exists()
    plt.close("all")


@pytest.mark.parametrize(
    ("plot", "problem"),
    [
        (lambda table: 1 / 0, "ZeroDivisionError: division by zero (tests/test_pictures.py, line"),
        (
            lambda table: 7,
            "TypeError: expected a matplotlib Figure or None, got int (tests/test_pictures.py)",
        ),
        (lambda: None, "takes 0 positional arguments but 1 was given (tests/test_pictures.py)"),
        (None, "expected what is called with (table), got None"),
        (lambda table: sys.exit(4), "SystemExit: 4 (tests/test_pictures.py, line"),
    ],
    ids=["raises", "no figure", "no argument", "no function", "exits"],
)
def test_a_broken_plug_in_is_one_line(plot, problem, tmp_path, plots, capsys):
    made(tmp_path / "runs")
    plots.entries["mine"] = Entry("mine", "test", lambda: plot)
    assert main(["report", str(tmp_path / "runs")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bench: not drawn: mine.png: ")
    assert problem in line
    assert "benchmark/report" not in line
    assert (tmp_path / "runs" / "report" / "lam_over_time.png").exists()
    assert dict(verify(tmp_path / "runs"))["table report"] == ""


def test_a_plot_that_cannot_be_imported_is_one_line(tmp_path, plots, capsys):
    made(tmp_path / "runs")

    def load():
        raise ImportError("no module named plotly")

    plots.entries["mine"] = Entry("mine", "plug-in theirs:mine", load)
    assert main(["report", str(tmp_path / "runs")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "plot 'mine' (plug-in theirs:mine) cannot be loaded: ImportError" in line


def test_a_picture_of_an_earlier_report_does_not_stay(tmp_path):
    store = made(tmp_path / "runs")
    report(list(store), tmp_path / "out")
    (tmp_path / "out" / "mine.png").write_text("kept")
    assert (tmp_path / "out" / "curves.png").exists()
    report(list(made(tmp_path / "other", curves=False)), tmp_path / "out")
    assert not (tmp_path / "out" / "curves.png").exists()
    assert (tmp_path / "out" / "mine.png").read_text() == "kept"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    store = made(tmp_path / "runs")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("curves.png", "table1.md", f".curves.png.{os.getpid()}"):
        (out / name).symlink_to(victim)
    report(list(store), out)
    assert victim.read_text() == "precious"
    assert not (out / "curves.png").is_symlink()
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_a_picture_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def stop(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        finish(plt.figure(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_plot_cannot_change_the_table_that_is_printed(tmp_path, plots, capsys):
    made(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    before = capsys.readouterr().out

    @register_plot("thief")
    def thief(table):
        for row in table.rows:
            row.metrics.clear()
            row.costs.clear()
        table.frame.drop(table.frame.index, inplace=True)
        for held in (table.rows, table.metrics, table.runs, table.names):
            held.clear()

    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == before
    assert dict(verify(tmp_path))["table report"] == ""
