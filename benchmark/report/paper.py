"""paper.tex: a table environment of the columns that a paper wants, for article and booktabs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmark import escape
from benchmark.errors import UsageError, suggest
from benchmark.report.cells import SHARED, Cell, heads, lines, names
from benchmark.report.formats import BOOKTABS
from benchmark.report.metrics import metric_of
from benchmark.report.reading import reading
from benchmark.report.table import Table

PAPER = "paper.tex"
# of metrics, so that the table is not wider than a page
_METRICS = 3
_COMMANDS = {"": "{}", "best": r"\textbf{{{}}}", "tie": r"\textit{{{}}}"}


@dataclass(frozen=True)
class Layout:
    """columns: by name, `method` not among them; none for the first metrics and seconds.

    sort: the column that rows are ordered by, the best first; "" for the order of the table.
    """

    columns: tuple[str, ...] = ()
    sort: str = ""

    def check(self, table: Table) -> None:
        """Raises UsageError for a column that the table lacks."""
        known = names(table)[1:]
        for option, given in (("--columns", self.columns), ("--sort", (self.sort,))):
            for name in filter(None, given):
                if name not in known:
                    raise UsageError(
                        f"{option}: unknown column {name!r}{suggest(name, known)}; this table has: "
                        f"{', '.join(known)}"
                    )

    def wanted(self, table: Table) -> tuple[str, ...]:
        """The columns by name."""
        return self.columns or (*table.metrics[:_METRICS], "time")

    def of(self, table: Table) -> tuple[list[str], list[list[Cell]]]:
        """Headings and lines. Raises UsageError."""
        self.check(table)
        every = names(table)
        places = [0, *(every.index(name) for name in self.wanted(table) if name in every)]
        rows = self._ordered(table)
        # `lines` has those of the rows first, then those of reference
        made = list(lines(table))
        ordered = [made[k] for k in rows] + made[len(rows) :]
        return [heads(table)[k] for k in places], [[line[k] for k in places] for line in ordered]

    def _ordered(self, table: Table) -> list[int]:
        order = list(range(len(table.rows)))
        if not self.sort:
            return order
        lower = self.sort not in table.metrics or metric_of(self.sort).lower is not False

        def key(k: int) -> float:
            row = table.rows[k]
            counts = {"runs": row.runs, "failed": row.failed, "no_answer": row.unanswered}
            found = row.metrics.get(self.sort) or row.costs.get(self.sort)
            value = found.mean if found else counts.get(self.sort, float("nan"))
            # rows without a value come last
            return float("inf") if math.isnan(value) else value if lower else -value

        return sorted(order, key=key)


PLAIN = Layout()


def paper(table: Table, layout: Layout) -> str:
    """Raises UsageError."""
    networks = [f"{metric_of(m).head}: {name}." for m, name in sorted(table.names.items())]
    wanted = set(layout.wanted(table))
    kept = {name: line for name, line in table.references.items() if wanted & set(line)}
    # the networks that metrics are named after would make headings too wide
    table = replace(table, names={}, references=kept)
    named, rows = layout.of(table)
    note = escape.latex(" ".join([reading(table), *_shared(table, rows), *networks]))
    body = [escape.latex_row(list(map(_cell, row))) for row in rows]
    return "\n".join(
        [
            BOOKTABS,
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{escape.latex(table.title)}}}",
            rf"\label{{tab:{_slug(table.title)}}}",
            r"\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{l{'r' * (len(named) - 1)}}}",
            r"\toprule",
            escape.latex_row(list(map(escape.latex, named))),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\vspace{{2pt}}\parbox{{\linewidth}}{{\footnotesize {note}}}",
            r"\end{table}",
            "",
        ]
    )


def _shared(table: Table, rows: list[list[Cell]]) -> Iterator[str]:
    """What the mark beside seconds says, where `reading` does not: it stands in the footnote."""
    beside = "jobs" in table.frame and bool((table.frame["jobs"] > 1).any())
    if beside and any(SHARED in text for line in rows for text, _ in line):
        yield f"{SHARED}: some of the row's runs shared the machine with others."


def _cell(cell: Cell) -> str:
    """The interval smaller than the mean, so that four columns fit."""
    text, mark = cell
    mean, space, interval = escape.latex(text).partition(" [")
    small = rf" {{\scriptsize [{interval}}}" if space else ""
    return _COMMANDS[mark].format(mean) + small


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
