"""How much better answers looked to their search than they are, over the number of trials."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmark.report.look import APART, legend, looks, spent_axis, subplots
from benchmark.report.statistics.optimism import ledger, standing_at
from benchmark.report.stats import estimate
from benchmark.report.table import Table


def optimism(table: Table) -> Figure | None:
    """Held-out less searched F of each answer: luck, and any bias by unequal numbers of samples.

    And means where all runs have one.

    None where there are no such means.
    """
    ledgers = [[own for run in row.stored if (own := ledger(run))] for row in table.rows]
    stood = [list(standing_at(known)) for known in ledgers]
    if not any(stood):
        return None
    figure, axes = subplots(figsize=(7, 4.0))
    every: list[float] = []
    for k, (row, known, at) in enumerate(zip(table.rows, ledgers, stood, strict=True)):
        if not at:
            continue
        look = looks(table)[row.label]
        points = [(a.first, a.optimism) for answers in known for a in answers]
        means = [(n, estimate({a.cell: a.optimism for a in found})) for n, found in at]
        axes.scatter(*zip(*points, strict=True), s=12, color=look["color"], alpha=0.35, lw=0)
        every += [x for x, _ in points]
        x = [n * APART ** (k - len(table.rows) / 2) for n, _ in means]
        y = [e.mean for _, e in means]
        bars = [[e.mean - e.low for _, e in means], [e.high - e.mean for _, e in means]]
        axes.errorbar(x, y, yerr=bars, fmt="none", color=look["color"], capsize=2, lw=0.8)
        axes.plot(x, y, label=row.label, lw=1.4, ms=5, **look)
    axes.axhline(0, color="black", lw=0.8)
    spent_axis(axes, min(every) / 1.1, max(2.2 * min(every), *every) * 1.1, "nfe")
    axes.set(xlabel="evaluations of F; dots: until an answer was proposed", title=table.title)
    axes.set_ylabel("held-out F less searched F\nabove 0: it looked better than it is")
    legend(axes)
    return figure
