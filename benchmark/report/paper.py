"""paper.tex: a table environment of the columns that a paper wants, for article and booktabs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmark import escape
from benchmark.errors import UsageError, suggest
from benchmark.report.cells import SHARED, Cell, heads, lines, names
from benchmark.report.formats import BOOKTABS
from benchmark.report.metrics import metric_of
from benchmark.report.reading import reading
from benchmark.report.table import Table

PAPER = "paper.tex"
# of metrics, where as many fit
_METRICS = 3
# points: the width of article's page, the sizes of a cell and of an interval, between two columns
_PAGE, _TEXT, _SMALL, _BETWEEN = 345.0, 9.0, 7.0, 8.0
_NARROW = frozenset(" .,:;'|!()[]{}ijlt-")
# of a column of names that is broken into lines
_LEAST = 60.0
_COMMANDS = {"": "{}", "best": r"\textbf{{{}}}", "tie": r"\textit{{{}}}"}


@dataclass(frozen=True)
class Layout:
    """columns: by name, `method` not among them; none for the first metrics and seconds.

    sort: the column that rows are ordered by, the best first; "" for the order of the table.
    """

    columns: tuple[str, ...] = ()
    sort: str = ""

    def check(self, tables: Sequence[Table]) -> None:
        """Raises UsageError for a column that no table has; each takes those that it has."""
        known = list(dict.fromkeys(name for table in tables for name in names(table)[1:]))
        for option, given in (("--columns", self.columns), ("--sort", (self.sort,))):
            for name in filter(None, given):
                if name not in known:
                    raise UsageError(
                        f"{option}: unknown column {name!r}{suggest(name, known)}; "
                        f"{'this table has' if len(tables) == 1 else 'these tables have'}: "
                        f"{', '.join(known)}"
                    )

    def wanted(self, table: Table) -> tuple[str, ...]:
        """The columns by name; of those that nobody asked for as many as fit onto a page."""
        if known := tuple(name for name in self.columns if name in names(table)):
            return known
        judged = [m for m in table.metrics if metric_of(m).lower is not None] or table.metrics
        for count in range(min(_METRICS, len(judged)), 1, -1):
            found = (*judged[:count], "time")
            if width(*self.of(table, found)) <= _PAGE:
                return found
        return (*judged[:1], "time")

    def of(self, table: Table, wanted: Sequence[str]) -> tuple[list[str], list[list[Cell]]]:
        """Headings and lines of these columns."""
        every = names(table)
        places = [0, *(every.index(name) for name in wanted if name in every)]
        rows = self._ordered(table)
        # `lines` has those of the rows first, then those of reference
        made = list(lines(table))
        ordered = [made[k] for k in rows] + made[len(rows) :]
        return [heads(table)[k] for k in places], [[line[k] for k in places] for line in ordered]

    def _ordered(self, table: Table) -> list[int]:
        order = list(range(len(table.rows)))
        if self.sort not in names(table):
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


def width(named: Sequence[str], rows: Sequence[Sequence[Cell]]) -> float:
    """About the points that a table takes."""
    columns = zip(named, *([text for text, _ in row] for row in rows), strict=True)
    return sum(max(map(_wide, column)) + _BETWEEN for column in columns)


def _wide(text: str) -> float:
    mean, space, interval = text.partition(" [")
    return _TEXT * _ems(mean) + _SMALL * _ems(space + interval)


def _ems(text: str) -> float:
    """In the size of the font; a tenth more than Computer Modern has on average."""
    return sum(0.33 if c in _NARROW else 0.8 if c.isupper() else 0.57 for c in text)


def paper(table: Table, layout: Layout) -> str:
    """Of the columns that are asked for; names are broken into lines where it is too wide."""
    networks = [f"{metric_of(m).head}: {name}." for m, name in sorted(table.names.items())]
    # the networks that metrics are named after would make headings too wide
    table = replace(table, names={})
    wanted = layout.wanted(table)
    kept = {name: line for name, line in table.references.items() if set(wanted) & set(line)}
    table = replace(table, references=kept)
    named, rows = layout.of(table, wanted)
    # a terminal's stand-ins for bold and italic
    how = reading(table).replace(" (or *)", "").replace(" (or =)", "")
    note = escape.latex(" ".join([how, *_over(table), *_shared(table, rows), *networks]))
    first, lead, over = "l", "", width(named, rows) - _PAGE
    if over > 0:
        left = max(_LEAST, max(_wide(row[0][0]) for row in rows) - over)
        first, lead = rf"p{{{left:.0f}pt}}", r"\raggedright "
    body = [lead + escape.latex_row(list(map(_cell, row))) for row in rows]
    return "\n".join(
        [
            BOOKTABS,
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{escape.latex(table.title)}}}",
            rf"\label{{tab:{_slug(table.title)}}}",
            r"\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{{first}{'r' * (len(named) - 1)}}}",
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


def _over(table: Table) -> Iterator[str]:
    """How many runs a row's means are of."""
    cells = table.cells.shared
    seeds, prompts = {seed for seed, _ in cells}, {prompt for _, prompt in cells}
    if len(seeds) * len(prompts) != len(cells):
        yield f"{len(cells)} runs a row."
    elif cells:
        times = f" x {len(prompts)} prompts" if prompts != {""} else ""
        yield f"{len(seeds)} seeds{times} a row."


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
