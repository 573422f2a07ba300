"""From stored runs, or the rows of a runs.csv, to tables: one for each comparable set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from benchmark.budget import Budget, Unit
from benchmark.names import NAME, refit_of
from benchmark.report.comparable import Chosen, titled
from benchmark.report.compare import Cells, Failures
from benchmark.report.frame import REFERENCE, metrics_of
from benchmark.report.metrics import in_order, is_later, main_of, metric_of
from benchmark.report.rows import Row, rows_of
from benchmark.store.schema import DONE
from benchmark.store.store import Stored


@dataclass(frozen=True)
class Table:
    """One comparable set of runs: same task, preset, budget, device and passport. A plot gets it.

    unit: the budget's.  metrics: its columns.  names: what a metric's heading adds.
    frame: its part of `frame`, from which all else follows.  runs: what is stored of them; empty
        where the frame was read from a file.
    at, across: see `frame`.  failures: see `Failures`.  metric: as given by `--metric`.
    base: the options of rows that show none.  cells: what the rows are compared over.
    references: metrics of lines that no method made, by their name.
    target: the quality that times are measured to, in units of the picture's metric.
    left_out: how many stored runs of the same set are not in it.
    undrawn: pictures that failed, and why.
    conflicts: (the run that counts, another): finished runs of one cell whose results differ.
    kept: what is made once for a picture and the page, see `views`; `replace` hands it on.
    """

    title: str
    unit: Unit
    metrics: list[str]
    rows: list[Row]
    frame: pd.DataFrame
    names: dict[str, str] = field(default_factory=dict)
    runs: list[Stored] = field(default_factory=list)
    at: Budget | None = None
    across: bool = False
    base: str = ""
    cells: Cells = field(default_factory=lambda: Cells(frozenset(), 0, frozenset(), frozenset()))
    failures: Failures = "common"
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: int = 0
    metric: str | None = None
    target: float | None = None
    undrawn: tuple[str, ...] = ()
    conflicts: list[tuple[Stored, Stored]] = field(default_factory=list)
    kept: dict[str, list[Table]] = field(default_factory=dict, repr=False, compare=False)

    def heading(self, metric: str) -> str:
        """Such as `FID (digits)`."""
        name = metric_of(metric).head
        # the network that the search trained, beside one that was trained for lam alone
        if any((found := refit_of(m)) and found[0] == metric for m in self.metrics):
            name += " as found"
        return f"{name} ({self.names[metric]})" if metric in self.names else name

    @property
    def main(self) -> str | None:
        """The metric of the picture over time; None where there is no metric."""
        return self.metric or main_of(self.metrics)


def tables(
    runs: Iterable[Stored],
    at: Budget | None = None,
    across: bool = False,
    failures: Failures = "common",
) -> list[Table]:
    """The comparable sets of the stored runs that are finished, each a table. Raises UsageError.

    across: task options may differ within a set; those that most runs do not have name the row.
    """
    chosen = Chosen.of(runs, at, at, across)
    found = tables_of(chosen.frame, chosen.stored, at, failures)
    base, each = chosen.base, chosen.each
    return [replace(t, across=across, base=base, conflicts=each.conflicts(t.runs)) for t in found]


def tables_of(
    found: pd.DataFrame,
    stored: Sequence[Stored] = (),
    at: Budget | None = None,
    failures: Failures = "common",
) -> list[Table]:
    """Comparable sets of `frame`'s rows, each a table. stored: the rows' runs, if at hand."""
    # from the frame alone, so that a runs.csv gives the same table when its runs are gone
    return [_table(title, part, stored, at, failures) for title, part in titled(found, at)]


def _table(
    title: str, part: pd.DataFrame, stored: Sequence[Stored], at: Budget | None, failures: Failures
) -> Table:
    """The table of a part of the runs; its index says which of `stored` they are, if any are."""
    done = part["status"].isin(DONE)
    metrics = in_order([m for m in _complete(part) if part.loc[done, m].notna().any()])
    rows, cells = rows_of(part, stored, metrics, failures)
    return Table(
        title,
        Budget.parse(part["budget"].iloc[0]).unit,
        metrics,
        rows,
        part,
        names=_names(part, metrics),
        runs=[stored[i] for i in part.index] if stored else [],
        at=at,
        cells=cells,
        failures=failures,
        references=_references(part, metrics),
    )


def _complete(part: pd.DataFrame) -> list[str]:
    """The metrics of these rows, but for later ones that a run with an answer lacks."""
    # they are made later than the runs: rows would be compared over those that happen to be there
    metrics = metrics_of(part)
    plain = [m for m in metrics if not is_later(m)]
    answered = part[part[plain].notna().any(axis=1)]
    return [m for m in metrics if m in plain or answered[m].notna().all()]


def _names(part: pd.DataFrame, metrics: Sequence[str]) -> dict[str, str]:
    """What the headings of metrics add, of those whose passports say it."""
    found = {m: part[m + NAME].dropna() for m in metrics if m + NAME in part}
    return {m: str(texts.iloc[0]) for m, texts in found.items() if len(texts)}


def _references(part: pd.DataFrame, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """The mean over prompts of each line's metrics; a line does not depend on the seed."""
    found: dict[str, dict[str, float]] = {}
    for column in (c for c in part.columns if c.startswith(REFERENCE) and part[c].notna().any()):
        line, _, metric = column.removeprefix(REFERENCE).rpartition(".")
        if metric in metrics:
            found.setdefault(line, {})[metric] = float(part.groupby("prompt")[column].mean().mean())
    return found
