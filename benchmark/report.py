"""Table 1 in text, Markdown, CSV, LaTeX and HTML, and the differences between its rows, from what is stored. Runs nothing."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from benchmark.budget import Budget
from benchmark.columns import COSTS, METRICS
from benchmark.compare import FAILURES, Failures
from benchmark.errors import UsageError, suggest
from benchmark.frame import COLUMNS, read_frame
from benchmark.notes import APART, INCOMPLETE, footnote, reading
from benchmark.stats import Difference, Estimate, difference
from benchmark.store import Store, Stored, make_folder, read, storing, write_atomic
from benchmark.table import Row, Table, tables, tables_of

FORMATS = ("md", "csv", "latex", "html")
MADE = "report.json"
"""How a report was made: at, across, failures."""
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


def _cells(table: Table, row: Row, bold: str) -> list[str]:
    cells = []
    for metric in table.metrics:
        text = METRICS[metric].text(row.metrics.get(metric))
        cells.append(bold.format(text) if metric in row.bold and len(table.rows) > 1 else text)
    costs = [COSTS[c].text(row.costs.get(c)) + ("†" if c == "time" and row.shared else "") for c in _costs(table)]
    mark = f" {INCOMPLETE}" if row.incomplete else f" {APART}" if row.apart else ""
    ends = [str(n) for n in (row.runs, row.failed, *([row.unanswered] if _unanswered(table) else []))]
    return [row.label + mark, *cells, *costs, *ends]


def _body(table: Table, bold: str) -> Iterator[list[str]]:
    """The cells of every line: rows, then lines of reference, which cost nothing and have no runs."""
    yield from (_cells(table, r, bold) for r in table.rows)
    rest = len(_heads(table, "", "")) - 1 - len(table.metrics)
    for name, line in table.references.items():
        found = {m: Estimate(v, np.nan, np.nan) for m, v in line.items()}
        yield [name, *(METRICS[m].text(found.get(m)) for m in table.metrics), *["-"] * rest]


def text(table: Table) -> str:
    """For a terminal; `*` marks what cannot be told apart from the best."""
    lines = [_heads(table, "↓", "↑"), *_body(table, "{}*")]
    whole = _aligned(lines)
    if len(whole[0]) > _WIDTH and table.metrics:
        split = 1 + len(table.metrics)
        whole = [*_aligned([x[:split] for x in lines]), "", *_aligned([[x[0], *x[split:]] for x in lines])]
    return "\n".join([table.title, *whole])


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, the first to the left, with a rule under the first line."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = [
        "  ".join([x[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(x[1:], widths[1:], strict=True))]) for x in lines
    ]
    return [head, "-" * len(head), *body]


def markdown(table: Table) -> str:
    heads = _heads(table, "↓", "↑")
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *_body(table, "**{}**")]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


_TEX = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "†": r"\dag{}", "‡": r"\ddag{}",
     "§": r"\S{}", "↓": r"$\downarrow$", "↑": r"$\uparrow$"} | {c: f"\\{c}" for c in "_%&#${}"}
)  # fmt: skip


def _tex_bold(cell: str) -> str:
    return cell.translate(_TEX).replace("\0", r"\textbf{").replace("\1", "}")


def latex(table: Table) -> str:
    """A booktabs tabular."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    heads = [c.translate(_TEX) for c in _heads(table, "↓", "↑")]
    rows = [[_tex_bold(c) for c in line] for line in _body(table, "\0{}\1")]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            line(heads),
            r"\midrule",
            *map(line, rows),
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
        row: dict[str, object] = {"method": r.method}
        for metric in ("fid", "clip"):
            row |= _spread(metric, r.metrics.get(metric))
        row |= {"time": r.time, "runs": r.runs, "failed": r.failed, "lower": r.lower, "variant": r.variant}
        for name, values in [*((c, r.costs) for c in COSTS), *((m, r.metrics) for m in others)]:
            row |= _spread(name, values.get(name))
        rows.append(row | {
            "bold": " ".join(sorted(r.bold)), "no_answer": r.unanswered, "incomplete": r.incomplete, "comparable": not r.apart,
            "cells": len(table.cells.shared), "of_cells": table.cells.total,
        })  # fmt: skip
    for name, line in table.references.items():
        rows.append({"method": name, "runs": 0, "failed": 0, **line})
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
            found = versus(table, metric, one.label, other.label)
            if found is not None:
                yield [metric, one.label, other.label, found.n, found.mean, found.low, found.high, found.p]


def versus(table: Table, metric: str, one: str, other: str) -> Difference | None:
    """One row minus another, by their labels; None where no cell has a score of both. Raises KeyError."""
    values = {r.label: r.values for r in table.rows}
    return difference(values[one].get(metric, {}), values[other].get(metric, {}))


def _bold(cell: str) -> str:
    return html.escape(cell).replace("\0", "<b>").replace("\1", "</b>")


def page(table: Table, note: str, pictures: Sequence[str]) -> str:
    """A self-contained page but for its pictures, which lie beside it. note: what only the runs tell."""
    head = "".join(f"<th>{html.escape(h)}</th>" for h in _heads(table, "↓", "↑"))
    body = "".join("<tr>" + "".join(f"<td>{_bold(c)}</td>" for c in line) + "</tr>" for line in _body(table, "\0{}\1"))
    shown = "".join(f'<figure><img src="{p}" alt="{p.removesuffix(".png")}"></figure>' for p in pictures)
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:#222}"
        "table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid;white-space:nowrap}"
        "th{border-bottom:1px solid}td,th{padding:.3rem .8rem;text-align:right}td:first-child,th:first-child{text-align:left}"
        "div{overflow-x:auto}p{max-width:70rem}img{max-width:min(100%,70rem)}figure{margin:1.5rem 0}"
    )
    title = html.escape(table.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"<h1>{title}</h1><div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p>{html.escape(reading(table))}</p><p>{html.escape(note)}</p>{shown}</html>\n"
    )


def _write(table: Table, folder: Path, formats: Sequence[str], metric: str | None, across: bool) -> None:
    from benchmark.plots import draw

    pictures = draw(table, folder, metric)
    made = {"at": str(table.at or ""), "across": across, "failures": table.failures}
    write_atomic(folder / MADE, json.dumps(made) + "\n")
    if "md" in formats:
        write_atomic(folder / "table1.md", "\n".join([markdown(table), reading(table), "", footnote(table), ""]))
    if "csv" in formats:
        write_atomic(folder / "table1.csv", csv(table))
        write_atomic(folder / "differences.csv", differences(table))
        kept = [c for c in table.frame if c in COLUMNS or table.frame[c].notna().any()]
        write_atomic(folder / "runs.csv", table.frame[kept].to_csv(index=False, float_format="%.10g"))
    if "latex" in formats:
        write_atomic(folder / "table1.tex", latex(table))
    if "html" in formats:
        write_atomic(folder / "report.html", page(table, footnote(table), [p.name for p in pictures]))


def report(
    runs: Sequence[Stored],
    out: Path,
    *,
    formats: Sequence[str] = ("md", "csv", "latex"),
    at: Budget | None = None,
    metric: str | None = None,
    across: bool = False,
    failures: str = "common",
    beside: Iterable[Stored] = (),
) -> list[tuple[Table, Path]]:
    """Write the tables and plots of these runs below `out`; a folder each where there are several comparable sets.

    across: see `tables`.  beside: other stored runs, of which the footnote says how many would belong into the table.
    Raises UsageError, and StorageError where the folder cannot be written.
    """
    if failures not in FAILURES:
        raise UsageError(f"--failures: expected {' or '.join(FAILURES)}, got {failures!r}")
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format: unknown format {name!r}{suggest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    found = admitting(tables(runs, at, across, cast(Failures, failures)), runs, beside, across)
    known = sorted({m for t in found for m in t.metrics})
    if metric is not None and found and metric not in known:
        raise UsageError(
            f"--metric: unknown metric {metric!r}{suggest(metric, known)}; these runs have: {', '.join(known)}"
        )
    written = []
    for table in found:
        folder = out if len(found) == 1 else out / table.title.replace(", ", "-").replace(" ", "-")
        make_folder(folder)
        with storing(folder):
            _write(table, folder, formats, metric, across)
        written.append((table, folder))
    return written


def admitting(found: list[Table], runs: Sequence[Stored], beside: Iterable[Stored], across: bool) -> list[Table]:
    """The tables, each with how many of the other stored runs would belong into it."""
    have = {r.folder for r in runs}
    others = [r for r in beside if r.folder not in have]
    if not others:
        return found
    whole = {_set(t): len(t.runs) for t in tables([*runs, *others], None, across)}
    return [replace(t, left_out=max(0, whole.get(_set(t), 0) - len(t.runs))) for t in found]


def _set(table: Table) -> tuple[str, ...]:
    """What names a comparable set."""
    first = table.frame.iloc[0]
    passports = sorted(set(table.frame["passport"]) - {""})
    return (first["task"], first["preset"], first["budget"], *passports)


def stored_beside(folder: Path) -> Iterator[Stored]:
    """The runs below a folder that can be read."""
    for path in Store(folder).records():
        with suppress(UsageError):
            yield read(path.parent)


def report_folder(folder: Path, out: Path | None = None, **options: object) -> list[tuple[Table, Path]]:
    """`bench report`: every stored run below a folder. Raises UsageError where there is none."""
    runs = list(Store(folder))
    if not runs:
        raise UsageError(
            f"{folder}: expected stored runs (TASK/METHOD/RUN/run.json), found none; make some with `bench run`"
        )
    if not any(r.done or r.run["status"] == "failed" for r in runs):
        raise UsageError(
            f"{folder}: all {len(runs)} runs there are unfinished; the command that began them goes on with them"
        )
    return report(runs, out or folder / "report", **options)  # type: ignore[arg-type]


def rewrite(folder: str | Path) -> Table:
    """Write a report's tables again from its `runs.csv`, for when the runs are no longer at hand.

    What only the runs tell, the last paragraph of the notes and the pictures, stays as it is. Raises UsageError.
    `python -c "from benchmark.report import rewrite; rewrite('results/reward_ft')"`
    """
    folder = Path(folder)
    found = tables_of(read_frame(folder / "runs.csv"))
    if len(found) != 1:
        raise UsageError(f"{folder / 'runs.csv'}: expected one comparable set of runs, found {len(found)}")
    (table,) = found
    write_atomic(folder / "table1.csv", csv(table))
    write_atomic(folder / "differences.csv", differences(table))
    if (path := folder / "table1.tex").exists():
        write_atomic(path, latex(table))
    if (path := folder / "table1.md").exists():
        note = path.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[2]
        write_atomic(path, "\n".join([markdown(table), reading(table), "", note, ""]))
    if (path := folder / "report.html").exists():
        old = path.read_text(encoding="utf-8")
        title, note = (html.unescape(re.findall(rf"<{t}>(.*?)</{t}>", old, flags=re.S)[-1]) for t in ("h1", "p"))
        write_atomic(path, page(replace(table, title=title), note, re.findall(r'<img src="([^"]+)"', old)))
    return table
