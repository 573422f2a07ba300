"""How much better answers looked to their search than they are, over the number of trials."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.report import intervals
from benchmark.report.look import ROOM, apart, legend, looks, spent_axis, subplots
from benchmark.report.statistics.optimism import Looked, ledger, standing_at
from benchmark.report.stats import estimate
from benchmark.report.table import Table


def optimism(table: Table) -> Figure | None:
    """Held-out less searched F of each answer: luck, and any bias by unequal numbers of samples.

    And means where all runs have one.

    None where there are no such means.
    """
    ledgers = [[own for run in row.stored if (own := ledger(run))] for row in table.rows]
    stood = [
        (row, known, list(standing_at(known)))
        for row, known in zip(table.rows, ledgers, strict=True)
    ]
    stood = [found for found in stood if found[2]]
    if not stood:
        return None
    figure, axes = subplots(figsize=(7, 4.0))
    points = [[(a.first, a.optimism) for own in known for a in own] for _, known, _ in stood]
    means = [np.array([(n, *_mean(found)) for n, found in at]) for *_, at in stood]
    dots = np.concatenate(points)
    # an answer may stand for longer than until the last one was proposed
    at = np.concatenate([dots[:, 0], *(found[:, 0] for found in means)])
    first, end = at.min(), at.max()
    spent_axis(axes, first / ROOM, max(2.2 * first, end) * ROOM, "nfe")
    alone = [(y, np.nan, np.nan) for y in dots[:, 1]]
    intervals.show(axes, "y", [*np.concatenate(means)[:, 1:], *alone])
    cut = False
    for k, (row, *_) in enumerate(stood):
        look = looks(table)[row.label]
        axes.scatter(*zip(*points[k], strict=True), s=12, color=look["color"], alpha=0.35, lw=0)
        n, y, low, high = means[k].T
        x = n * apart(k, len(stood))
        cut |= intervals.draw(axes, "y", x, low, high, color=look["color"])
        axes.plot(x, y, label=row.label, lw=1.4, ms=5, **look)
    if cut:
        intervals.explain(axes, "y")
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xlabel="evaluations of F; dots: until an answer was proposed", title=table.title)
    axes.set_ylabel("held-out F less searched F\nabove 0: it looked better than it is")
    legend(axes)
    return figure


def _mean(found: list[Looked]) -> tuple[float, float, float]:
    e = estimate({a.cell: a.optimism for a in found})
    return e.mean, e.low, e.high
