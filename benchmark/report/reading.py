"""How to read a table, as far as it follows from its numbers alone."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.names import refit_of
from benchmark.report.cells import APART, INCOMPLETE, SHARED
from benchmark.report.frame import metrics_of
from benchmark.report.metrics import is_later, metric_of
from benchmark.report.rows import machines
from benchmark.report.stats import LEAST_SEEDS
from benchmark.report.table import Table

# stored reports have these sentences word for word, and `bench verify` compares them
_INTERVALS = (
    "Mean and 95 % interval (Student's t); prompts are fixed and weigh the same, seeds are "
    "resampled."
)
_MARKS = (
    "Bold (or *): the best mean. Italic (or =): may be the best too, since no row is better than "
    "it by a paired t test, with Holm's correction at 5 % for the column."
)
_NO_MARKS = (
    f"Nothing is marked: it takes {LEAST_SEEDS} paired seeds of each prompt in at least two "
    "complete rows; run more with --seeds."
)


def reading(table: Table) -> str:
    """How to read its intervals and marks; follows from the table alone."""
    lines = [_INTERVALS]
    if len([r for r in table.rows if r.metrics]) > 1:
        lines.append(_MARKS if any(r.bold for r in table.rows) else _NO_MARKS)
    lines += _compared(table)
    if lost := sum(r.unanswered for r in table.rows):
        lines.append(f"{lost} runs gave no answer and have no score.")
    kinds = machines(table.frame)
    if len(kinds) > 1:
        each = "; ".join(f"{name} ({n} runs)" for name, n in kinds.items())
        lines.append(
            f"Seconds are from {len(kinds)} kinds of machine: {each}; do not compare them "
            f"({SHARED}: not all of a row's runs are on the first)."
        )
    lacking = [m for m in metrics_of(table.frame) if is_later(m) and m not in table.metrics]
    for m in [m for m in lacking if metric_of(m).shown][:1]:
        n = int(table.frame[m].notna().sum())
        what, by = (
            ("Refits are", "refit") if refit_of(m) else (f"{metric_of(m).head} is", "measure")
        )
        lines.append(f"{what} there for {n} of {len(table.frame)} runs: `bench {by}` goes on.")
    if table.references:
        lines.append("Lines without runs: images that no method made.")
    return " ".join(lines)


def _compared(table: Table) -> Iterator[str]:
    """Over which seeds and prompts rows are compared, where not over all."""
    cells = table.cells
    if table.failures == "worst":
        yield "A run without a score counts as the worst of its seed and prompt (--failures worst)."
    if len(cells.shared) < cells.total:
        how = "" if table.failures == "worst" else " (--failures common)"
        yield (
            f"Rows are compared over {len(cells.shared)} of {cells.total} seeds x prompts, those "
            f"that all of them have{how}."
        )
    if any(r.incomplete for r in table.rows):
        yield (
            f"{INCOMPLETE}: lacks a score that another row has (failed, without an answer, or "
            "not run); never marked."
        )
    if any(r.apart for r in table.rows):
        yield (
            f"{APART}: shares no seed and prompt with the other rows, so it is not comparable "
            "with them."
        )
