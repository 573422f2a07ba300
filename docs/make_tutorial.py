"""Writes docs/tutorial.ipynb from the cells below: `python docs/make_tutorial.py`."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TEXT, CODE = new_markdown_cell, new_code_cell
CELLS = (
    TEXT(
        "# A first comparison\n\n"
        "Three methods on recorded trainings of a noise schedule (task `replay`): each answer "
        "comes from a table, on a simulated clock, so that a comparison takes seconds. The same "
        "lines compare methods on the real tasks."
    ),
    CODE(
        "from tempfile import mkdtemp\n\n"
        "from benchmark import fit, run\n\n"
        "out = mkdtemp()\n"
        "results = run(\n"
        '    ["default", "random", "tpe"],\n'
        '    "replay",\n'
        '    budget="85000nfe",\n'
        "    seeds=range(4),\n"
        "    out=out,\n"
        "    quiet=True,\n"
        ")\n"
        "results"
    ),
    TEXT(
        "Bold is the best mean; italic may be the best too. `results.frame` has a row a run, "
        "`results.trials()` a row an evaluation of F."
    ),
    CODE("results.trials().head()"),
    CODE('results.plot("quality_over_time")'),
    TEXT(
        "## A method of your own\n\n"
        "A method is a function that yields its answers. `fit` solves the lower problem at lam and "
        "evaluates F there. It stops where the budget is spent: `fit` raises through it. This one "
        "walks: from the best point so far a little further, which is a bad idea when F is noisy."
    ),
    CODE(
        "def walk(problem, rng):\n"
        "    best = fit(problem, problem.space.default(), 0)\n"
        "    yield best\n"
        "    while True:\n"
        "        lam = (best.lam + 0.1 * rng.standard_normal(problem.space.dim)).clip(0, 1)\n"
        "        found = fit(problem, lam, 0)\n"
        "        if found.loss < best.loss:\n"
        "            best = found\n"
        "            yield best\n\n\n"
        'same = {"budget": "85000nfe", "seeds": range(4), "out": out, "quiet": True}\n'
        'both = run([walk, "random"], "replay", **same)\n'
        "both"
    ),
    TEXT(
        "Its source is part of each run's identity: edit the cell, and it is another run. In a "
        "file it is a plug-in: `bench run --plugin walk.py --method walk --task replay`.\n\n"
        "## How sure is that?\n\n"
        "The table's intervals are over seeds. `statistics.csv`, which is written with a report, "
        "has ranks, the probability of the best mean, and how much of a searched F was luck "
        "([statistics](statistics.md))."
    ),
    CODE(
        "from pathlib import Path\n\n"
        "import pandas as pd\n\n"
        '(folder,) = both.report(Path(out) / "report")\n'
        'statistics = pd.read_csv(folder / "statistics.csv")\n'
        'statistics.loc[statistics["row"] == "walk", ["statistic", "value", "low", "high", "n"]]'
    ),
    TEXT(
        "## The page\n\n"
        "`explore.html` in that folder is one file for a browser: the table at every budget, "
        "curves, pictures, a page for each run. `bench report --open` opens it in a browser. Its "
        "data are JSON in it, so that a script reads what a reader sees: here the table, and what "
        "its columns mean."
    ),
    CODE(
        "import json\n\n"
        'page = (folder / "explore.html").read_text(encoding="utf-8")\n'
        """data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])\n"""
        'last = data["tables"][-1]\n'
        'pd.DataFrame([[text for text, _ in line] for line in last["lines"]], '
        'columns=last["heads"])'
    ),
    CODE('pd.DataFrame(data["columns"]).set_index("head")'),
)


def notebook() -> nbformat.NotebookNode:
    """Without outputs: they are made where it is run."""
    cells = [cell.copy() for cell in CELLS]
    for k, cell in enumerate(cells):
        cell["id"] = f"cell-{k}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


if __name__ == "__main__":
    path = Path(__file__).with_name("tutorial.ipynb")
    path.write_text(nbformat.writes(notebook()) + "\n", encoding="utf-8")
