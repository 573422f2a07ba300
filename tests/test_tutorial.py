"""docs/tutorial.ipynb is what its script makes, and runs."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

DOCS = Path(__file__).parents[1] / "docs"
# in a process of its own: nbclient changes what a Ctrl-C does
RUN = """
import sys, nbformat
from nbclient import NotebookClient
found = nbformat.read(sys.argv[1], 4)
NotebookClient(found, timeout=300).execute()
nbformat.write(found, sys.argv[2])
"""


@pytest.fixture(scope="module")
def made():
    return runpy.run_path(str(DOCS / "make_tutorial.py"))["notebook"]()


def test_it_is_what_its_script_makes(made):
    stored = (DOCS / "tutorial.ipynb").read_text(encoding="utf-8")
    assert stored == nbformat.writes(made) + "\n"


def test_every_cell_runs(tmp_path):
    words = [sys.executable, "-c", RUN, str(DOCS / "tutorial.ipynb"), str(tmp_path / "done.ipynb")]
    subprocess.run(words, check=True, cwd=tmp_path, capture_output=True)
    done = nbformat.read(tmp_path / "done.ipynb", 4)
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    shown = [output for cell in code for output in cell.outputs]
    assert not [o for o in shown if o.output_type == "error"]
    texts = [str(o.get("data", {}).get("text/html", "")) for o in shown]
    assert any("walk" in text and "random" in text for text in texts)
    assert any("image/png" in o.get("data", {}) for o in shown)
    table, meanings = texts[-2:]
    assert {"walk", "random"} <= set(re.findall(r"<td>(\w+)", table))
    assert "Seconds of search" in meanings


def test_it_is_a_page_of_the_site():
    nav = (DOCS / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert "docs/tutorial.ipynb" in nav
