"""What an earlier version of the suite stored is read, keeps its names and gives the same tables.

`stored/runs_0.1.0.tar.xz` was made by commit 63fb0e5, with six methods on `quadratic` (one fails,
one proposes nothing), two on `tilted` and `bayesian` with other options; then `bench report`.
"""

import re
import tarfile
from pathlib import Path

import pytest

from benchmark.command.cli import main
from benchmark.report.formats import BOOKTABS
from benchmark.report.verify import verify
from benchmark.spec import identity
from benchmark.store.store import Store

STORED = Path(__file__).parent / "stored" / "runs_0.1.0.tar.xz"
RUNS = 26
SAME = ("table1.md", "table1.csv", "table1.tex", "differences.csv", "runs.csv")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "runs"


def test_every_run_keeps_its_name(runs):
    found = list(Store(runs))
    assert len(found) == RUNS
    for run in found:
        assert run.run["run_id"] == identity(run.run["spec"], run.run["schema"]) == run.folder.name


def test_the_tables_are_the_same_to_the_byte(runs, capsys):
    before = {p: p.read_bytes() for p in sorted((runs / "report").rglob("*")) if p.name in SAME}
    assert len(before) == 3 * len(SAME)
    assert main(["report", "runs", "--format", "md,csv,latex"]) == 0
    capsys.readouterr()
    for path, content in before.items():
        # since then it says which package it needs
        hint = BOOKTABS.encode() + b"\n" if path.suffix == ".tex" else b""
        text = path.read_bytes()
        if path.suffix == ".md":
            # and why a run failed, as the last sentence
            text, *_ = re.split(rb" ?Failed: [^|]*$", text)
        assert text.rstrip() == (hint + content).rstrip(), path


def test_its_table_in_tex_is_no_alteration(runs):
    """Its pictures are left out here, and so is all that the page lacks without them."""
    assert "table1.tex" not in str(list(verify(runs)))
    for path in (runs / "report").rglob("table1.tex"):
        path.write_text(f"mine\n{path.read_text()}")
    assert "table1.tex does not follow from runs.csv" in str(list(verify(runs)))
