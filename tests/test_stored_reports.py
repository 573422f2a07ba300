"""The reports in results/ follow from their runs.csv, to the byte, whatever the version."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark.report.report import rewrite
from benchmark.report.verify import verify

RESULTS = Path(__file__).parent.parent / "results"
REPORTS = sorted(path.parent.relative_to(RESULTS) for path in RESULTS.rglob("table1.csv"))
TEXTS = ("table1.csv", "table1.md", "table1.tex", "differences.csv", "report.json")


def test_there_are_reports():
    assert len(REPORTS) >= 7
    for report in REPORTS:
        for name in ("table1.csv", "table1.md", "differences.csv", "report.json"):
            assert (RESULTS / report / name).is_file(), (report, name)


@pytest.mark.parametrize("report", REPORTS, ids=str)
def test_a_report_written_again_is_the_same_to_the_byte(report, tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(RESULTS / report, folder)
    before = {name: (folder / name).read_bytes() for name in TEXTS if (folder / name).exists()}
    for name in before:
        if name != "report.json":
            (folder / name).write_text("lost")
    rewrite(folder)
    after = {name: (folder / name).read_bytes() for name in before}
    assert after == before


@pytest.mark.parametrize("report", REPORTS, ids=str)
def test_a_stored_report_is_verified(report, tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(RESULTS / report, folder)
    assert [problem for _, problem in verify(tmp_path) if problem] == []


@pytest.mark.parametrize("report", REPORTS[:1], ids=str)
def test_without_a_stored_footnote_texts_stay_as_they_are(report, tmp_path, capsys):
    """An earlier report has it in table1.md and its page alone, which nobody reads back."""
    folder = tmp_path / "report"
    shutil.copytree(RESULTS / report, folder)
    (folder / "report.json").unlink()
    (folder / "report.html").write_text("of then")
    texts = {name: (folder / name).read_bytes() for name in ("table1.md", "report.html")}
    csv = (folder / "table1.csv").read_bytes()
    (folder / "table1.csv").write_text("lost")
    rewrite(folder)
    assert (folder / "table1.csv").read_bytes() == csv
    assert {name: (folder / name).read_bytes() for name in texts} == texts
    assert capsys.readouterr().err.count("report.json does not hold their footnote") == 1
    assert not (folder / "report.json").exists()
    (folder / "report.html").unlink()
    assert [problem for _, problem in verify(tmp_path) if problem] == []


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("title", "report.json has another title"),
        ("reading", "report.json has another text on how to read the table"),
        ("markdown", "report.json has two footnotes"),
        ("footnote", "table1.md does not follow from runs.csv"),
    ],
)
def test_another_text_in_the_record_is_seen(key, problem, tmp_path):
    folder = tmp_path / "report"
    shutil.copytree(RESULTS / REPORTS[0], folder)
    made = json.loads((folder / "report.json").read_text())
    made[key] = "The best."
    (folder / "report.json").write_text(json.dumps(made))
    assert any(problem in found for _, found in verify(tmp_path))
