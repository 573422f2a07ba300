"""paper.tex: the columns that were asked for, in a table that article and booktabs compile."""

import shutil
import subprocess

import pytest

from benchmark import UsageError
from benchmark.command.cli import main
from benchmark.report.paper import Layout, paper
from benchmark.report.report import report_folder
from benchmark.report.table import tables
from tests.made import made

TEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def table(tmp_path):
    (found,) = tables(list(made(tmp_path / "runs", methods=("alpha", "gamma"))))
    return found


def rows(text):
    inside = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    return [line.split(" & ") for line in inside.strip().splitlines()]


def test_three_metrics_and_seconds_by_default(table):
    text = paper(table, Layout())
    heads = text.split(r"\toprule")[1].split(r"\midrule")[0]
    assert heads.strip().startswith("Method & FID")
    assert len(rows(text)[0]) == 5
    assert [r[0] for r in rows(text)] == ["alpha", "gamma"]
    for part in (r"\caption{", r"\label{tab:schedule-", r"% \usepackage{booktabs}", "Student"):
        assert part in text


def test_columns_and_order(table):
    text = paper(table, Layout(("time", "fid"), "fid"))
    assert "Time (s) & FID" in text
    better = sorted(table.rows, key=lambda r: r.metrics["fid"].mean)
    assert [r[0] for r in rows(text)] == [r.label for r in better]
    # more is better: the other way round
    text = paper(table, Layout(("inception_score",), "inception_score"))
    better = sorted(table.rows, key=lambda r: -r.metrics["inception_score"].mean)
    assert [r[0] for r in rows(text)] == [r.label for r in better]
    # without a direction, and counts: the least first
    assert rows(paper(table, Layout((), "runs")))


@pytest.mark.parametrize("words", [["--columns", "fid,clop"], ["--sort", "fidd"]])
def test_an_unknown_column_is_one_line(words, tmp_path, capsys):
    made(tmp_path / "runs")
    assert main(["report", str(tmp_path / "runs"), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bench: {words[0]}: unknown column ")
    assert "this table has: fid, inception_score, objective" in said
    assert not (tmp_path / "runs" / "report").exists()


def test_the_report_writes_and_seals_it(tmp_path):
    made(tmp_path / "runs")
    ((_, folder),) = report_folder(tmp_path / "runs", layout=Layout(("fid",), "fid"))
    assert rows((folder / "paper.tex").read_text())
    assert '"paper.tex"' in (folder / "report.json").read_text()
    with pytest.raises(UsageError, match="unknown column 'x'"):
        report_folder(tmp_path / "runs", layout=Layout(("x",)))


@TEX
def test_it_compiles_within_the_page(tmp_path):
    made(tmp_path / "runs", methods=("alpha", "gamma"), prompt="")
    made(tmp_path / "runs", methods=("alpha", "gamma"), prompt="50 % & $x_1$ #~^\\ {a} <b>")
    ((_, folder),) = report_folder(tmp_path / "runs")
    (tmp_path / "p.tex").write_text(DOCUMENT % (folder / "paper.tex").read_text())
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "p.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
