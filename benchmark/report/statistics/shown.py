"""Statistics as a page shows them: a table for each metric, a row a method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.report.statistics.sheet import OPTIMISM, Statistic
from benchmark.report.table import Table

_F = "F"


@dataclass(frozen=True)
class Section:
    """heads: of the columns, each a statistic.  lines: (label, texts).  hows: (head, how)."""

    title: str
    heads: list[str]
    lines: list[tuple[str, list[str]]]
    hows: list[tuple[str, str]]


def shown(table: Table, every: Sequence[Statistic]) -> list[Section]:
    """Metrics in the table's order, then F."""
    found = []
    for metric in [*table.metrics, _F]:
        own = [s for s in every if s.metric == metric]
        if own:
            title = "The objective F" if metric == _F else table.heading(metric)
            found.append(_part(title, own))
    return found


def _part(title: str, own: list[Statistic]) -> Section:
    # a row that ended early has fewer numbers of trials, and must not put them out of order
    heads = sorted(dict.fromkeys(s.statistic for s in own), key=_place)
    labels = list(dict.fromkeys(s.row for s in own))
    cells = {(s.row, s.statistic): _text(s) for s in own}
    lines = [(label, [cells.get((label, head), "-") for head in heads]) for label in labels]
    hows = {s.statistic: s.how for s in own}
    return Section(title, heads, lines, list(hows.items()))


def _place(head: str) -> float:
    """Of optimism after so many trials, the number; all else stays in its order, after these."""
    return float(head.rpartition(" ")[2]) if head.startswith(OPTIMISM) else math.inf


def _text(s: Statistic) -> str:
    """Such as `12 [10, 15] (5)`."""
    inside = "" if math.isnan(s.low) else f" [{_short(s.low)}, {_short(s.high)}]"
    return f"{_short(s.value)}{inside} (n = {s.n})"


def _short(value: float) -> str:
    """Three digits, and no power of ten for what is counted."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"
