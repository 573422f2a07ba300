"""Table 1 in text, Markdown, CSV, LaTeX and HTML, from what is stored. Runs nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmark.budget import Budget
from benchmark.clock import ACCOUNTS
from benchmark.columns import COSTS, METRICS
from benchmark.errors import UsageError, suggest
from benchmark.stats import Estimate
from benchmark.store import Store, Stored, make_folder, storing, write_atomic
from benchmark.table import COLUMNS, Row, Table, read_frame, tables, tables_of

FORMATS = ("md", "csv", "latex", "html")
_WIDTH = 130  # characters of a terminal line, beyond which what a search cost gets lines of its own


def _heads(table: Table, down: str, up: str) -> list[str]:
    arrow = {True: f" {down}", False: f" {up}", None: ""}
    arrows = [table.heading(m) + arrow[METRICS[m].lower] for m in table.metrics]
    return ["Method", *arrows, *(COSTS[c].head for c in _costs(table)), "Runs", "Failed"]


def _costs(table: Table) -> list[str]:
    return [c for c in COSTS if c != "overrun_seconds" or table.unit == "s"]


def _cells(table: Table, row: Row, bold: str) -> list[str]:
    cells = []
    for metric in table.metrics:
        text = METRICS[metric].text(row.metrics.get(metric))
        cells.append(bold.format(text) if metric in row.bold and len(table.rows) > 1 else text)
    costs = [COSTS[c].text(row.costs.get(c)) + ("†" if c == "time" and row.shared else "") for c in _costs(table)]
    return [row.label, *cells, *costs, str(row.runs), str(row.failed)]


def text(table: Table) -> str:
    """For a terminal; `*` marks what cannot be told apart from the best."""
    lines = [_heads(table, "↓", "↑"), *(_cells(table, r, "{}*") for r in table.rows)]
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
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *(_cells(table, r, "**{}**") for r in table.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


_TEX = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "†": r"\dag{}", "↓": r"$\downarrow$",
     "↑": r"$\uparrow$"} | {c: f"\\{c}" for c in "_%&#${}"}
)  # fmt: skip


def _tex_bold(cell: str) -> str:
    return cell.translate(_TEX).replace("\0", r"\textbf{").replace("\1", "}")


def latex(table: Table) -> str:
    """A booktabs tabular."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    heads = [c.translate(_TEX) for c in _heads(table, "↓", "↑")]
    rows = [[_tex_bold(c) for c in _cells(table, r, "\0{}\1")] for r in table.rows]
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
    """One row a method: the contract's columns, what a search cost, the other metrics, and which entries are bold."""
    rows = []
    others = [m for m in table.metrics if m not in ("fid", "clip")]
    for r in table.rows:
        row: dict[str, object] = {"method": r.method}
        for metric in ("fid", "clip"):
            row |= _spread(metric, r.metrics.get(metric))
        row |= {"time": r.time, "runs": r.runs, "failed": r.failed, "lower": r.lower, "variant": r.variant}
        for name, values in [*((c, r.costs) for c in COSTS), *((m, r.metrics) for m in others)]:
            row |= _spread(name, values.get(name))
        rows.append(row | {"bold": " ".join(sorted(r.bold))})
    return str(pd.DataFrame(rows).to_csv(index=False))


def _spread(name: str, e: Estimate | None) -> dict[str, float | None]:
    values = (None, None, None) if e is None else (e.mean, e.low, e.high)
    return dict(zip((name, f"{name}_ci_low", f"{name}_ci_high"), values, strict=True))


def _bold(cell: str) -> str:
    return html.escape(cell).replace("\0", "<b>").replace("\1", "</b>")


def page(table: Table, note: str, pictures: Sequence[str]) -> str:
    """A self-contained page but for its pictures, which lie beside it. note: the footnote."""
    head = "".join(f"<th>{html.escape(h)}</th>" for h in _heads(table, "↓", "↑"))
    body = "".join(
        "<tr>" + "".join(f"<td>{_bold(c)}</td>" for c in _cells(table, r, "\0{}\1")) + "</tr>" for r in table.rows
    )
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
        f"<p>{html.escape(note)}</p>{shown}</html>\n"
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
    if table.base:
        lines.append(f"Where a row does not say otherwise: {table.base}.")
    environments = [r.run.get("environment", {}) for r in runs]
    machines = sorted({f"{e.get('cpus', '?')} CPUs, {e.get('threads') or 1} threads a run" for e in environments})
    lines.append(f"Time: method + objective, on {' and '.join(machines)}.")
    means = {name: sum(r.run["ledger"].get(name, 0.0) for r in runs) / len(runs) for name in ACCOUNTS}
    lines.append(f"A run took on average: {', '.join(f'{name} {v:.1f} s' for name, v in means.items())}.")
    shared = [jobs for r in runs if (jobs := r.run.get("jobs", 1)) > 1]
    if shared:
        lines.append(f"†: {len(shared)} of {len(runs)} runs shared the machine with others (--jobs {max(shared)}).")
    resumed = sum(r.run.get("resumed", 0) > 0 for r in runs)
    if resumed:
        lines.append(f"{resumed} runs were cut short and resumed.")
    dirty = sum(r.run.get("peak_memory_of") != "search" for r in runs)
    if dirty:
        lines.append(f"Memory: in {dirty} of {len(runs)} runs the peak of their whole process until then.")
    late = [o for r in runs if (o := r.run.get("overrun_seconds", 0)) > 0]
    if late:
        lines.append(f"{len(late)} of {len(runs)} searches ended past the budget, at most by {max(late):.2f} s.")
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


def _write(table: Table, folder: Path, formats: Sequence[str], metric: str | None) -> None:
    from benchmark.plots import draw

    pictures = draw(table, folder, metric)
    if "md" in formats:
        write_atomic(folder / "table1.md", markdown(table) + "\n" + footnote(table) + "\n")
    if "csv" in formats:
        write_atomic(folder / "table1.csv", csv(table))
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
) -> list[tuple[Table, Path]]:
    """Write the tables and plots of these runs below `out`; a folder each where there are several comparable sets.

    across: see `tables`. Raises UsageError, and StorageError where the folder cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format: unknown format {name!r}{suggest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    found = tables(runs, at, across)
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
            _write(table, folder, formats, metric)
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


def rewrite(folder: str | Path) -> Table:
    """Write a report's tables again from its `runs.csv`, for when the runs are no longer at hand.

    The footnote and the pictures, which need the runs, stay as they are. Raises UsageError.
    `python -c "from benchmark.report import rewrite; rewrite('results/reward_ft')"`
    """
    folder = Path(folder)
    found = tables_of(read_frame(folder / "runs.csv"))
    if len(found) != 1:
        raise UsageError(f"{folder / 'runs.csv'}: expected one comparable set of runs, found {len(found)}")
    (table,) = found
    write_atomic(folder / "table1.csv", csv(table))
    if (path := folder / "table1.tex").exists():
        write_atomic(path, latex(table))
    if (path := folder / "table1.md").exists():
        note = path.read_text(encoding="utf-8").partition("\n\n")[2]
        write_atomic(path, markdown(table) + "\n" + note)
    if (path := folder / "report.html").exists():
        old = path.read_text(encoding="utf-8")
        title, note = (html.unescape("".join(re.findall(rf"<{t}>(.*?)</{t}>", old, flags=re.S))) for t in ("h1", "p"))
        write_atomic(path, page(replace(table, title=title), note, re.findall(r'<img src="([^"]+)"', old)))
    return table
