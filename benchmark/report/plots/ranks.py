"""Mean ranks of rows, with bars over those that do not differ (Demsar 2006)."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmark.report.hues import hue_of
from benchmark.report.look import label, subplots
from benchmark.report.metrics import metric_of
from benchmark.report.statistics.ranks import Ranks
from benchmark.report.statistics.ranks import ranks as ranked
from benchmark.report.statistics.sheet import compared, first_compared
from benchmark.report.table import Table

# a bar and a gap below the last row, in rows
_BAR = 0.45


def ranks(table: Table) -> Figure | None:
    """Over seeds and prompts, by the table's first metric with a direction."""
    if (metric := first_compared(table)) is None:
        return None
    found = ranked(compared(table, metric), bool(metric_of(metric).lower))
    # of two rows, or one block, the table says all
    if found is None or len(found.mean) < 3 or found.blocks < 2:
        return None
    methods = {row.label: row.method for row in table.rows}
    title = f"{table.title}\nMean rank by {label(table, metric)}, {found.blocks} seeds x prompts"
    return diagram(found, title, methods)


def diagram(found: Ranks, title: str, methods: dict[str, str] | None = None) -> Figure:
    """methods: of rows, where these are not called as their method."""
    order = sorted(found.mean, key=lambda name: found.mean[name])
    groups = _alike([found.mean[name] for name in order], found.critical)
    figure, axes = subplots(figsize=(7, 0.9 + 0.3 * (len(order) + len(groups))))
    for k, name in enumerate(order):
        colour, marker = hue_of((methods or {}).get(name, name))
        axes.plot(found.mean[name], k, marker=marker, color=colour, ms=7)
    for k, (first, last) in enumerate(groups):
        height = len(order) - 0.4 + _BAR * k
        low, high = found.mean[order[first]], found.mean[order[last]]
        axes.plot([low - 0.03, high + 0.03], [height] * 2, color="black", lw=3)
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(len(order) - 0.4 + _BAR * len(groups), -0.6)
    axes.set_xlim(0.8, len(order) + 0.2)
    axes.set_xticks(range(1, len(order) + 1))
    axes.set_xlabel(
        f"mean rank, 1 is best; a bar joins rows less than {found.critical:.3g} apart, which may "
        "be equal"
    )
    axes.set_title(title, fontsize=10)
    return figure


def _alike(ranks: list[float], critical: float) -> list[tuple[int, int]]:
    """First and last of each longest group of rows that do not differ. ranks: ascending."""
    groups: list[tuple[int, int]] = []
    for first, low in enumerate(ranks):
        last = max(k for k, rank in enumerate(ranks) if rank - low <= critical)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups
