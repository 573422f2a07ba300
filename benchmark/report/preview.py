"""The row that a measurement makes in a table, for the author of a task."""

from __future__ import annotations

from benchmark.names import NAME
from benchmark.protocol import Test
from benchmark.report.metrics import described, in_order, metric_of


def row_of(test: Test) -> str:
    """`FID (digits) ↓ 12.34, kid 0.02`, and notes on metrics that have a default column or none."""
    names = in_order(test.metrics)
    cells = [f"{_heading(test, m)} {metric_of(m).number(test.metrics[m])}" for m in names]
    notes = [
        f"{m}: no description, shown with a default column; register_metric describes it"
        for m in names
        if not described(m)
    ]
    hidden = sorted(set(test.metrics) - set(names))
    if hidden:
        notes.append(f"in runs.csv alone: {', '.join(hidden)}")
    return "; ".join([", ".join(cells) or "no metric", *notes])


def _heading(test: Test, metric: str) -> str:
    name = test.passport.get(metric + NAME)
    return f"{metric_of(metric).head}{f' ({name})' if name else ''}{metric_of(metric).arrow}"
