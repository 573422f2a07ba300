"""Pictures take no table with them: one that fails is a line, and none goes through a link or is left half written."""

import json
import os

import pytest
from matplotlib import pyplot as plt

import benchmark.plots
from benchmark.cli import main
from benchmark.look import finish
from benchmark.report import report
from benchmark.verify import verify
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

    def broken(table, path):
        raise KeyError("fid\x1b[31m")

    monkeypatch.setattr(benchmark.plots, "curves", broken)
    assert main(["report", str(tmp_path / "runs"), "--format", "md,csv,latex,html"]) == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("bench: not drawn: curves.png: KeyError: ")
    assert "\x1b" not in said
    folder = tmp_path / "runs" / "report"
    for name in ("table1.md", "report.html"):
        assert "Not drawn: curves.png: KeyError" in (folder / name).read_text()
    assert 'src="curves.png"' not in (folder / "report.html").read_text()
    assert 'src="lam_over_time.png"' in (folder / "report.html").read_text()
    assert (folder / "table1.tex").exists()
    assert not (folder / "curves.png").exists()
    assert dict(verify(tmp_path / "runs"))["table report"] == ""


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
