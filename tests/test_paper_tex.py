"""paper.tex: the columns that were asked for, in a table that article and booktabs compile."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark import UsageError
from benchmark.command.cli import main
from benchmark.report.formats import latex
from benchmark.report.paper import Layout, paper
from benchmark.report.report import report_folder
from benchmark.report.table import tables
from benchmark.store.store import Store
from tests.made import made

RESULTS = Path(__file__).parents[1] / "results"

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


def test_a_mark_beside_seconds_is_explained_where_it_stands(tmp_path, table):
    assert "shared the machine" not in paper(table, Layout())
    (found,) = tables(list(made(tmp_path / "shared", jobs=2)))
    text = paper(found, Layout())
    assert text.count(r"\dag{}") == len(found.rows) + 1
    assert r"\dag{}: some of the row's runs shared the machine with others." in text
    assert r"\dag{}" not in paper(found, Layout(("fid",)))


def test_a_line_of_reference_needs_a_value(table):
    known = replace(table, references={"real images": {"fid": 1.5}, "noise": {"objective": 2.0}})
    text = paper(known, Layout(("fid",)))
    assert rows(text)[-1] == ["real images", r"1.50 \\"]
    assert "Lines without runs" in text
    text = paper(known, Layout(("inception_score",)))
    assert "real images" not in text
    assert "Lines without runs" not in text


def test_both_files_of_tex_name_the_package(table):
    for text in (paper(table, Layout()), latex(table)):
        assert text.startswith("% \\usepackage{booktabs}\n\\begin{")


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


def test_it_says_of_how_many_runs_its_means_are(tmp_path, table):
    assert "3 seeds a row." in paper(table, Layout())
    for prompt in ("one", "two"):
        made(tmp_path / "more", prompt=prompt)
    (found,) = tables(list(Store(tmp_path / "more")))
    assert "3 seeds x 2 prompts a row." in paper(found, Layout())


def test_marks_of_a_terminal_are_not_explained(tmp_path):
    (found,) = tables(list(made(tmp_path / "runs")))
    text = paper(found, Layout())
    assert "Bold: the best mean. Italic: may be the best too" in text


def test_columns_are_left_out_until_it_fits_the_page(table):
    wide = replace(table, rows=[replace(row, method=row.method * 6) for row in table.rows])
    heads = paper(wide, Layout()).split(r"\toprule")[1].split(r"\midrule")[0]
    assert "FID" in heads
    assert heads.count("&") < paper(table, Layout()).split(r"\midrule")[0].count(" & ")
    # who asks for columns gets them, and names are broken into lines
    asked = paper(wide, Layout(("fid", "inception_score", "objective", "time")))
    assert r"\begin{tabular}{p{" in asked
    assert asked.count(r"\raggedright alpha") == 1


def test_a_column_of_one_of_two_tables_is_no_error(tmp_path):
    made(tmp_path / "runs")
    made(tmp_path / "runs", budget="2000nfe", metrics=("clip",))
    words = ["report", str(tmp_path / "runs"), "--columns", "fid", "--sort", "fid"]
    assert main(words) == 0
    texts = [p.read_text() for p in (tmp_path / "runs" / "report").glob("*/paper.tex")]
    assert len(texts) == 2


def compiled(text, folder):
    """What TeX says of a document that has nothing else."""
    (folder / "p.tex").write_text(DOCUMENT % text)
    words = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "p.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@TEX
def test_it_compiles_within_the_page(tmp_path):
    made(tmp_path / "runs", methods=("alpha", "gamma"), prompt="")
    made(tmp_path / "runs", methods=("alpha", "gamma"), prompt="50 % & $x_1$ #~^\\ {a} <b>")
    ((_, folder),) = report_folder(tmp_path / "runs")
    assert "Overfull" not in compiled((folder / "paper.tex").read_text(), tmp_path)


@TEX
@pytest.mark.parametrize("path", sorted(RESULTS.rglob("paper.tex")), ids=lambda p: p.parent.name)
def test_shipped_ones_fit_the_page(path, tmp_path):
    assert "Overfull" not in compiled(path.read_text(), tmp_path)
