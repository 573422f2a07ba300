"""A table at each mark of its budget, and its rows' means there: what curves are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmark.budget import Budget
from benchmark.report.frame import standing
from benchmark.report.stats import Estimate
from benchmark.report.table import Table, tables
from benchmark.store.stored import Stored


@dataclass(frozen=True)
class Mean:
    """A row's mean of a metric at a mark. mark: its place.  runs: those that it is of."""

    row: str
    mark: int
    metric: str
    runs: Sequence[Stored]
    estimate: Estimate


def _marks(table: Table) -> list[Budget]:
    """Those that every run has, inside the budget, ascending; none of a table that is at a mark."""
    if table.at is not None:
        return []
    done = [run for run in table.runs if run.done]
    asked = [{Budget.parse(m).amount for m in run.run["spec"]["marks"]} for run in done]
    whole = max((Budget.parse(run.run["spec"]["budget"]).amount for run in done), default=0.0)
    shared = sorted(m for m in (set.intersection(*asked) if asked else set()) if m < whole)
    return [Budget(amount, table.unit) for amount in shared]


def views(table: Table) -> list[Table]:
    """The table as it was at each mark, which is its `at`; the last is itself."""
    if "views" not in table.kept:
        table.kept["views"] = [_view(table, mark) for mark in _marks(table)]
    return [*table.kept["views"], table]


def _view(table: Table, mark: Budget) -> Table:
    found = tables(table.runs, mark, table.across, table.failures)
    largest = max(found, key=lambda t: len(t.runs))
    return replace(largest, title=table.title, base=table.base)


def means(table: Table, at: Sequence[Table], metrics: Iterable[str]) -> Iterator[Mean]:
    """The means of `metrics` at each mark that all runs of a row with an answer reached.

    A mark that only some reached would have a mean over the fast ones. at: see `views`; means are
    those of the table there, over the seeds and prompts that it compares.
    """
    wanted = list(metrics)
    for k, view in enumerate(at):
        there = {row.label: row for row in view.rows}
        for row in table.rows:
            found = [(run, standing(run, view.at)) for run in row.stored if run.tests]
            same = there.get(row.label)
            if same is None or not found or any(test is None for _, test in found):
                continue
            own = [
                (run, test["metrics"])
                for run, test in found
                if test is not None and view.cells.counts(_cell(run.run["spec"]), same.apart)
            ]
            for metric in wanted if own else ():
                if metric in same.metrics and all(metric in values for _, values in own):
                    yield Mean(row.label, k, metric, [run for run, _ in own], same.metrics[metric])


def _cell(spec: Mapping[str, Any]) -> tuple[int, str]:
    return spec["seed"], spec["prompt"]
