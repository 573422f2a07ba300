"""The cells of a table, as every format shows them: headings, rows, lines of reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmark.report.costs import PREFIX, Cost, has_column
from benchmark.report.costs import costs as every_cost
from benchmark.report.metrics import metric_of
from benchmark.report.rows import Row
from benchmark.report.stats import Estimate
from benchmark.report.table import Table

INCOMPLETE, APART, SHARED = "‡", "§", "†"
"""Beside a row that lacks a score, one that cannot be compared, and seconds that cannot be."""
Cell = tuple[str, str]
"""The text, and whether it is the "best" mean or a "tie" with it."""
Marks = tuple[str, str]
"""What stands before and after a marked text."""

_METHOD = "What searched; in brackets its lower-level solver, and what sets its row apart."
_UNSAID = "Nobody described it."
_RUNS = "How many runs the row has, over seeds and prompts."
_FAILED = "How many of them ended with an error, and so have no score."
_NO_ANSWER = "How many of them proposed nothing in time, and so have no score."


def names(table: Table) -> list[str]:
    """What each column is called on the command line, in the order of `heads`."""
    ends = ["runs", "failed", *(["no_answer"] if _unanswered(table) else [])]
    return ["method", *table.metrics, *shown_costs(table), *ends]


def heads(table: Table) -> list[str]:
    """The headings, of metrics with an arrow to where better values are."""
    named = {m: table.heading(m) + metric_of(m).arrow for m in table.metrics}
    named |= {f"{PREFIX}{name}": cost.head for name, cost in shown_costs(table).items()}
    often = Counter(named.values())
    # two descriptions may have one heading, which would leave a reader guessing
    columns = [head if often[head] == 1 else f"{head} [{name}]" for name, head in named.items()]
    ends = ["Runs", "Failed", *(["No answer"] if _unanswered(table) else [])]
    return ["Method", *columns, *ends]


def meanings(table: Table) -> list[tuple[str, str]]:
    """Each heading, and what stands in its column."""
    columns = [*map(metric_of, table.metrics), *shown_costs(table).values()]
    ends = [_RUNS, _FAILED, *([_NO_ANSWER] if _unanswered(table) else [])]
    about = [_METHOD, *(column.about or _UNSAID for column in columns), *ends]
    return list(zip(heads(table), about, strict=True))


def shown_costs(table: Table) -> dict[str, Cost]:
    """The costs that the table has columns for."""
    return {
        name: cost
        for name, cost in every_cost().items()
        if has_column(
            name, cost, table.unit, [r.costs[name].mean for r in table.rows if name in r.costs]
        )
    }


def body(table: Table, write: Callable[[str], str], best: Marks, tie: Marks) -> Iterator[list[str]]:
    """The cells of every line, escaped by `write` and marked: rows, then lines of reference."""
    # one function for every format, so that no format can show other numbers than another
    marks = {"": ("", ""), "best": best, "tie": tie}
    for line in lines(table):
        yield [f"{marks[mark][0]}{write(text)}{marks[mark][1]}" for text, mark in line]


def lines(table: Table) -> Iterator[list[Cell]]:
    """The cells of every line, as they are: rows, then lines of reference."""
    costs = shown_costs(table)
    yield from (_row(table, row, costs) for row in table.rows)
    yield from _references(table)


def _unanswered(table: Table) -> bool:
    return any(r.unanswered for r in table.rows)


def _row(table: Table, row: Row, costs: Mapping[str, Cost]) -> list[Cell]:
    mark = f" {INCOMPLETE}" if row.incomplete else f" {APART}" if row.apart else ""
    cells = [(row.label + mark, "")]
    for metric in table.metrics:
        text = metric_of(metric).text(row.metrics.get(metric))
        cells.append((text, "best" if metric in row.bold else "tie" if metric in row.tied else ""))
    for name, cost in costs.items():
        # of all costs, only seconds depend on what else the machine was doing
        beside = SHARED if name == "time" and row.shared else ""
        cells.append((cost.text(row.costs.get(name)) + beside, ""))
    counts = [row.runs, row.failed, *([row.unanswered] if _unanswered(table) else [])]
    return [*cells, *((str(n), "") for n in counts)]


def _references(table: Table) -> Iterator[list[Cell]]:
    # no method made them, so they cost nothing and have no runs
    rest = len(heads(table)) - 1 - len(table.metrics)
    for name, line in table.references.items():
        found = {m: Estimate(v, np.nan, np.nan) for m, v in line.items()}
        numbers = [metric_of(m).text(found.get(m)) for m in table.metrics]
        yield [(text, "") for text in (name, *numbers, *["-"] * rest)]
