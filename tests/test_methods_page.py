"""docs/methods.md lists every method, and what it says of costs and needs is so."""

import re
from collections import Counter
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmark.registry import METHODS
from benchmark.spec import make_method
from methods import TABLE
from methods.hypergradients.descent import Descent
from tasks.quadratic import Quadratic

TEXT = (Path(__file__).parent.parent / "docs" / "methods.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip(" `"): [c.strip() for c in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `")
    for cells in [line.strip("|").split("|")]
}
COST, MEASURED, NEEDS, CHOICE, ENDS = range(5)
PAPERS = dict(re.findall(r"^- `(\w+)`: (.*?)(?=^- |^\n|\Z)", TEXT, flags=re.S | re.M))


class Counting:
    """The quadratic, and how often each oracle was asked."""

    def __init__(self):
        self.task, self.asked = Quadratic().open(0, "", "", "cpu"), Counter()
        self.space, self.horizon = self.task.space, self.task.horizon

    def __getattr__(self, name):
        self.asked[name] += 1
        return getattr(self.task, name)


def options(name):
    return {f.name for f in fields(METHODS.get(name))}


def test_every_method_has_a_row_and_a_paper():
    assert set(ROWS) == set(PAPERS) == set(TABLE)
    for name, cells in ROWS.items():
        assert len(cells) == 5, name
        assert all(cells), name
    for name, text in PAPERS.items():
        assert re.search(r"\b(19|20)\d\d\b", text) or text.startswith("no paper"), name
        assert " ".join(text.split()).count(". ") >= 1, f"{name}: a paper and when to take it"


@pytest.mark.parametrize("name", sorted(n for n, row in ROWS.items() if row[MEASURED] != "-"))
def test_an_iteration_costs_what_the_page_says(name):
    problem = Counting()
    found = iter(make_method(name, {})(problem, np.random.default_rng(0)))
    next(found)
    before = Counter()
    if isinstance(make_method(name, {}), Descent):
        assert problem.asked == {"init": 1, "step": 20}
        before = Counter(problem.asked)
        next(found)
    took = problem.asked - before
    said = [int(n) for n in ROWS[name][MEASURED].split(",")]
    assert [took["step"], took["loss"], took["grad"]] == said


@pytest.mark.parametrize("name", sorted(TABLE))
def test_what_a_row_says_of_a_method(name):
    kind, row = METHODS.get(name), ROWS[name]
    by_gradient = issubclass(kind, Descent)
    assert ("grad" in row[NEEDS]) == getattr(kind, "uses_gradient", False)
    assert (row[CHOICE] == "keeps the default's text") == by_gradient
    named = {*re.findall(r"`(\w+)`", row[COST]), *re.findall(r"`(\w+)`", row[ENDS])}
    assert named - {"bilevel"} <= options(name)
