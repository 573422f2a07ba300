"""A table as text, Markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from benchmark import escape
from benchmark.columns import COSTS, METRICS
from benchmark.notes import APART, INCOMPLETE, reading
from benchmark.stats import Difference, Estimate, difference
from benchmark.table import Row, Table

_WIDTH = 130  # characters of a terminal line, beyond which what a search cost gets lines of its own


def _heads(table: Table, down: str, up: str) -> list[str]:
    arrow = {True: f" {down}", False: f" {up}", None: ""}
    arrows = [table.heading(m) + arrow[METRICS[m].lower] for m in table.metrics]
    ends = ["Runs", "Failed", *(["No answer"] if _unanswered(table) else [])]
    return ["Method", *arrows, *(COSTS[c].head for c in _costs(table)), *ends]


def _unanswered(table: Table) -> bool:
    return any(r.unanswered for r in table.rows)


def _costs(table: Table) -> list[str]:
    over = any(r.costs["overrun_nfe"].mean > 0 for r in table.rows if "overrun_nfe" in r.costs)
    shown = {"overrun_seconds": table.unit == "s", "overrun_nfe": over}
    return [c for c in COSTS if shown.get(c, True)]


_Cell = tuple[str, str]  # the text, and whether it is the "best" mean or a "tie" with it


def _cells(table: Table, row: Row) -> list[_Cell]:
    cells = []
    for metric in table.metrics:
        text = METRICS[metric].text(row.metrics.get(metric))
        cells.append((text, "best" if metric in row.bold else "tie" if metric in row.tied else ""))
    costs = [COSTS[c].text(row.costs.get(c)) + ("†" if c == "time" and row.shared else "") for c in _costs(table)]
    mark = f" {INCOMPLETE}" if row.incomplete else f" {APART}" if row.apart else ""
    ends = [str(n) for n in (row.runs, row.failed, *([row.unanswered] if _unanswered(table) else []))]
    return [(row.label + mark, ""), *cells, *((c, "") for c in (*costs, *ends))]


def _body(
    table: Table, write: Callable[[str], str], best: tuple[str, str], tie: tuple[str, str]
) -> Iterator[list[str]]:
    """The cells of every line, escaped by `write` and marked: rows, then lines of reference, which cost nothing."""
    marks = {"": ("", ""), "best": best, "tie": tie}
    for line in _lines(table):
        yield [f"{marks[mark][0]}{write(text)}{marks[mark][1]}" for text, mark in line]


def _lines(table: Table) -> Iterator[list[_Cell]]:
    yield from (_cells(table, r) for r in table.rows)
    rest = len(_heads(table, "", "")) - 1 - len(table.metrics)
    for name, line in table.references.items():
        found = {m: Estimate(v, np.nan, np.nan) for m, v in line.items()}
        yield [(text, "") for text in (name, *(METRICS[m].text(found.get(m)) for m in table.metrics), *["-"] * rest)]


def text(table: Table) -> str:
    """For a terminal; `*` marks the best mean, `=` a tie with it."""
    heads = list(map(escape.visible, _heads(table, "↓", "↑")))
    lines = [heads, *_body(table, escape.visible, ("", "*"), ("", "="))]
    whole = _aligned(lines)
    if len(whole[0]) > _WIDTH and table.metrics:
        split = 1 + len(table.metrics)
        costs = [[x[0], *x[split:]] for x in lines if set(x[split:]) != {"-"}]
        whole = [*_aligned([x[:split] for x in lines]), "", *_aligned(costs)]
    return "\n".join([escape.visible(table.title), *whole])


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, the first to the left, with a rule under the first line."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = [
        "  ".join([x[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(x[1:], widths[1:], strict=True))]) for x in lines
    ]
    return [head, "-" * len(head), *body]


def markdown(table: Table) -> str:
    """Bold: the best mean; italic: a tie with it."""
    heads = list(map(escape.markdown, _heads(table, "↓", "↑")))
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    lines = [heads, rule, *_body(table, escape.markdown, ("**", "**"), ("*", "*"))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def latex(table: Table) -> str:
    """A booktabs tabular."""
    heads = list(map(escape.latex, _heads(table, "↓", "↑")))
    rows = _body(table, escape.latex, (r"\textbf{", "}"), (r"\textit{", "}"))
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            escape.latex_row(heads),
            r"\midrule",
            *map(escape.latex_row, rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def csv(table: Table) -> str:
    """One row a method: the contract's columns, what a search cost, the other metrics, which entries are bold, and over how
    many cells rows are compared. Then the lines of reference, which have no runs.
    """
    rows = []
    others = [m for m in table.metrics if m not in ("fid", "clip")]
    for r in table.rows:
        row: dict[str, object] = {"method": escape.csv(r.method)}
        for metric in ("fid", "clip"):
            row |= _spread(metric, r.metrics.get(metric))
        row |= {"time": r.time, "runs": r.runs, "failed": r.failed}
        row |= {"lower": escape.csv(r.lower), "variant": escape.csv(r.variant)}
        for name, values in [*((c, r.costs) for c in COSTS), *((m, r.metrics) for m in others)]:
            row |= _spread(name, values.get(name))
        rows.append(row | {
            "bold": " ".join(sorted(r.bold)), "tied": " ".join(sorted(r.tied)), "no_answer": r.unanswered,
            "incomplete": r.incomplete, "comparable": not r.apart, "cells": len(table.cells.shared),
            "of_cells": table.cells.total,
        })  # fmt: skip
    for name, line in table.references.items():
        rows.append({"method": escape.csv(name), "runs": 0, "failed": 0, **line})
    return str(pd.DataFrame(rows).to_csv(index=False))


def _spread(name: str, e: Estimate | None) -> dict[str, float | None]:
    values = (None, None, None) if e is None else (e.mean, e.low, e.high)
    return dict(zip((name, f"{name}_ci_low", f"{name}_ci_high"), values, strict=True))


def differences(table: Table) -> str:
    """Each row minus each other one, as CSV, over the cells that both have: n, mean, 95 % interval and two-sided p by a paired
    t test, without a correction for how many there are.
    """
    heads = ["metric", "one", "other", "n", "difference", "ci_low", "ci_high", "p"]
    return str(
        pd.DataFrame([row for m in table.metrics for row in _pairs(table, m)], columns=heads).to_csv(index=False)
    )


def _pairs(table: Table, metric: str) -> Iterator[list[object]]:
    for k, one in enumerate(table.rows):
        for other in table.rows[k + 1 :]:
            found = difference(one.values.get(metric, {}), other.values.get(metric, {}))
            if found is not None:
                names = [escape.csv(one.label), escape.csv(other.label)]
                yield [metric, *names, found.n, found.mean, found.low, found.high, found.p]


def versus(table: Table, metric: str, one: str, other: str) -> Difference | None:
    """One row minus another, by their labels; None where no cell has a score of both. Raises KeyError."""
    values = {r.label: r.values for r in table.rows}
    return difference(values[one].get(metric, {}), values[other].get(metric, {}))


def page(table: Table, note: str, pictures: Sequence[str]) -> str:
    """A self-contained page but for its pictures, which lie beside it. note: what only the runs tell."""
    head = "".join(f"<th>{escape.html(h)}</th>" for h in _heads(table, "↓", "↑"))
    lines = _body(table, escape.html, ("<b>", "</b>"), ("<i>", "</i>"))
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in line) + "</tr>" for line in lines)
    shown = "".join(
        f'<figure><img src="{escape.html(p)}" alt="{escape.html(p.removesuffix(".png"))}"></figure>' for p in pictures
    )
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:#222}"
        "table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid;white-space:nowrap}"
        "th{border-bottom:1px solid}td,th{padding:.3rem .8rem;text-align:right}td:first-child,th:first-child{text-align:left}"
        "div{overflow-x:auto}p{max-width:70rem}img{max-width:min(100%,70rem)}figure{margin:1.5rem 0}"
    )
    title = escape.html(table.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"<h1>{title}</h1><div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p>{escape.html(reading(table))}</p><p>{escape.html(note)}</p>{shown}</html>\n"
    )
