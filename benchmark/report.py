"""Table 1 in text, Markdown, CSV, LaTeX and HTML, from what is stored. Runs nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmark.budget import Budget
from benchmark.errors import UsageError, suggest
from benchmark.stats import Estimate
from benchmark.store import Store, Stored, make_folder, write_atomic
from benchmark.table import LOWER_IS_BETTER, Row, Table, frame, tables

FORMATS = ("md", "csv", "latex", "html")
HEADS = {
    "fid": "FID",
    "clip": "CLIP score",
    "accuracy": "Accuracy",
    "reward": "Reward r2",
    "objective": "F",
    "inception_score": "IS",
}
_DIGITS = {"accuracy": 3, "objective": 4, "reward": 2}


def _number(metric: str, e: Estimate) -> str:
    digits = _DIGITS.get(metric, 1)
    if math.isnan(e.low):
        return f"{e.mean:.{digits}f}"
    return f"{e.mean:.{digits}f} [{e.low:.{digits}f}, {e.high:.{digits}f}]"


def _heads(table: Table, down: str, up: str) -> list[str]:
    arrow = {True: f" {down}", False: f" {up}", None: ""}
    arrows = [HEADS.get(m, m) + arrow[LOWER_IS_BETTER[m]] for m in table.metrics]
    return ["Method", *arrows, "Time (s)", "Runs", "Failed"]


def _cells(table: Table, row: Row, bold: str) -> list[str]:
    cells = []
    for metric in table.metrics:
        text = _number(metric, row.metrics[metric]) if metric in row.metrics else "-"
        cells.append(bold.format(text) if metric in row.bold and len(table.rows) > 1 else text)
    time = "-" if math.isnan(row.time) else f"{row.time:.1f}"
    return [row.label, *cells, time, str(row.runs), str(row.failed)]


def text(table: Table) -> str:
    """For a terminal; `*` marks what cannot be told apart from the best."""
    lines = [_heads(table, "↓", "↑"), *(_cells(table, r, "{}*") for r in table.rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    body = [
        "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    return "\n".join([table.title, body[0], "-" * len(body[0]), *body[1:]])


def markdown(table: Table) -> str:
    lines = [_heads(table, "↓", "↑"), ["---"] + ["---:"] * (len(table.metrics) + 3)]
    lines += [_cells(table, r, "**{}**") for r in table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def latex(table: Table) -> str:
    """A booktabs tabular."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(c.replace("_", r"\_").replace("%", r"\%") for c in cells) + r" \\"

    rows = [line(_cells(table, r, r"\textbf{{{}}}")) for r in table.rows]
    head = line(_heads(table, r"$\downarrow$", r"$\uparrow$"))
    columns = "l" + "r" * (len(table.metrics) + 3)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def csv(table: Table) -> str:
    """One row a method: the contract's columns, then the other metrics and which entries are bold."""
    rows = []
    others = [m for m in table.metrics if m not in ("fid", "clip")]
    for r in table.rows:
        row: dict[str, object] = {"method": r.method}
        for metric in ("fid", "clip"):
            row |= _spread(metric, r.metrics.get(metric))
        row |= {"time": r.time, "runs": r.runs, "failed": r.failed, "lower": r.lower, "variant": r.variant}
        for metric in others:
            row |= _spread(metric, r.metrics.get(metric))
        rows.append(row | {"bold": " ".join(sorted(r.bold))})
    return str(pd.DataFrame(rows).to_csv(index=False))


def _spread(metric: str, e: Estimate | None) -> dict[str, float | None]:
    values = (None, None, None) if e is None else (e.mean, e.low, e.high)
    return dict(zip((metric, f"{metric}_ci_low", f"{metric}_ci_high"), values, strict=True))


def page(table: Table, pictures: Sequence[Path]) -> str:
    """A self-contained page but for its pictures, which lie beside it."""
    head = "".join(f"<th>{html.escape(h)}</th>" for h in _heads(table, "↓", "↑"))
    body = "".join(
        "<tr>" + "".join(f"<td>{c}</td>" for c in _cells(table, r, "<b>{}</b>")) + "</tr>" for r in table.rows
    )
    shown = "".join(f'<figure><img src="{p.name}" alt="{p.stem}"></figure>' for p in pictures)
    style = (
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}"
        "table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}"
        "th{border-bottom:1px solid}td,th{padding:.3rem .8rem;text-align:right}td:first-child,th:first-child{text-align:left}"
        "img{max-width:100%}figure{margin:1.5rem 0}"
    )
    title = html.escape(table.title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"<h1>{title}</h1><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{html.escape(footnote(table))}</p>{shown}</html>\n"
    )


def footnote(table: Table) -> str:
    """What a reader must know to read the table: intervals, passport, machines, and whatever went otherwise than planned."""
    runs = [r for r in table.runs if r.done]
    lines = ["Mean and 95 % bootstrap interval over seeds x prompts; marked: not distinguishable from the best."]
    if not runs:
        return lines[0]
    passport = runs[0].tests[-1]["passport"]
    if "fid_features" in passport:
        lines.append(f"FID: {passport['fid_n']} images, features of {passport['fid_features']}.")
    environments = [r.run.get("environment", {}) for r in runs]
    machines = sorted({f"{e.get('cpus', '?')} CPUs, {e.get('threads') or 1} threads a run" for e in environments})
    lines.append(f"Time: method + objective, on {' and '.join(machines)}.")
    late = [o for r in runs if (o := r.run.get("overrun_seconds", 0)) > 0]
    if late:
        lines.append(f"{len(late)} of {len(runs)} searches ended past the budget, at most by {max(late):.1f} s.")
    lost = sum(bool(r.run.get("no_incumbent")) for r in runs)
    if lost:
        lines.append(f"{lost} runs proposed nothing in time and count as the default (no_incumbent).")
    torn = sum(r.torn for r in table.runs)
    if torn:
        lines.append(f"{torn} torn proposal lines were dropped.")
    said = [r.run["notes"][0] for r in runs if r.run.get("notes")]
    if said:
        lines.append(f"{len(said)} of {len(runs)} runs left a note, the first: {said[0]}.")
    return " ".join(lines)


def report(
    runs: Sequence[Stored],
    out: Path,
    *,
    formats: Sequence[str] = ("md", "csv", "latex"),
    at: Budget | None = None,
    metric: str | None = None,
) -> list[tuple[Table, Path]]:
    """Write the tables and plots of these runs below `out`; a folder each where there are several comparable sets."""
    from benchmark.plots import draw

    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format: unknown format {name!r}{suggest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    found = tables(runs, at)
    known = sorted({m for t in found for m in t.metrics})
    if metric is not None and found and metric not in known:
        raise UsageError(
            f"--metric: unknown metric {metric!r}{suggest(metric, known)}; these runs have: {', '.join(known)}"
        )
    written = []
    for table in found:
        folder = out if len(found) == 1 else out / table.title.replace(", ", "-").replace(" ", "-")
        make_folder(folder)
        pictures = draw(table, folder, metric)
        if "md" in formats:
            write_atomic(folder / "table1.md", markdown(table) + "\n" + footnote(table) + "\n")
        if "csv" in formats:
            write_atomic(folder / "table1.csv", csv(table))
            write_atomic(folder / "runs.csv", frame(table.runs, at).to_csv(index=False, float_format="%.6g"))
        if "latex" in formats:
            write_atomic(folder / "table1.tex", latex(table))
        if "html" in formats:
            write_atomic(folder / "report.html", page(table, pictures))
        written.append((table, folder))
    return written


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
