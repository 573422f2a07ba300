"""A table as text, Markdown and LaTeX."""

from __future__ import annotations

from benchmark import escape
from benchmark.report.cells import body, heads
from benchmark.report.notes import footnote
from benchmark.report.reading import reading
from benchmark.report.table import Table
from benchmark.report.text_table import TextTable

BOOKTABS = r"% \usepackage{booktabs}"


def text_table(table: Table) -> TextTable:
    """For a terminal, with its notes."""
    rows = body(table, escape.visible, ("", "*"), ("", "="))
    return TextTable(
        escape.visible(table.title),
        [list(map(escape.visible, heads(table))), *map(list, rows)],
        len(table.metrics),
        escape.visible(f"{reading(table)} {footnote(table)}"),
        len(table.references),
    )


def text(table: Table) -> str:
    """For a terminal, without notes."""
    return text_table(table).text()


def markdown(table: Table) -> str:
    """Bold: the best mean; italic: a tie with it."""
    names = list(map(escape.markdown, heads(table)))
    rule = ["---"] + ["---:"] * (len(names) - 1)
    lines = [names, rule, *body(table, escape.markdown, ("**", "**"), ("*", "*"))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def latex(table: Table) -> str:
    """A booktabs tabular, with a hint at that package."""
    names = list(map(escape.latex, heads(table)))
    rows = body(table, escape.latex, (r"\textbf{", "}"), (r"\textit{", "}"))
    lines = [
        BOOKTABS,
        rf"\begin{{tabular}}{{l{'r' * (len(names) - 1)}}}",
        r"\toprule",
        escape.latex_row(names),
        r"\midrule",
        *map(escape.latex_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, ""])
