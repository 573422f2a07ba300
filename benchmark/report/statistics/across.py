"""across.csv and across.png: methods over all tables of a report, by mean ranks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from statistics import fmean

import pandas as pd

from benchmark import escape
from benchmark.report.metrics import metric_of
from benchmark.report.statistics.ranks import Ranks, ranks
from benchmark.report.statistics.sheet import compared, first_compared
from benchmark.report.table import Table
from benchmark.store.files import write_atomic

SHEET, PICTURE = "across.csv", "across.png"
_COLUMNS = ["method", "mean_rank", "blocks", "critical_difference", "how"]
_HOW = (
    "rank of the mean over seeds, a block a table and prompt; one is better than another where "
    "they are further apart than the critical difference (5 % for all pairs)"
)


def over(tables: Sequence[Table]) -> Ranks | None:
    """Mean ranks of the methods that all tables have, over tables x prompts.

    By the first metric of each table that has a direction, as a mean over the seeds that the
    table's rows share. Of a method with several rows in a table the best counts. None where fewer
    than two methods are in all tables.
    """
    blocks: dict[str, dict[Hashable, float]] = {}
    for table in tables:
        if (metric := first_compared(table)) is None:
            continue
        lower = bool(metric_of(metric).lower)
        # less is better in every block
        sign = 1 if lower else -1
        for method, values in _methods(table, metric, lower).items():
            for prompt, value in values.items():
                blocks.setdefault(method, {})[table.title, prompt] = sign * value
    every = {block for own in blocks.values() for block in own}
    return ranks({m: own for m, own in blocks.items() if set(own) == every}, True)


def _methods(table: Table, metric: str, lower: bool) -> dict[str, dict[str, float]]:
    """By method, the mean over seeds of each prompt."""
    values, sign = compared(table, metric), 1 if lower else -1
    best: dict[str, tuple[float, dict[str, float]]] = {}
    for row in table.rows:
        if own := values.get(row.label):
            prompts = {prompt for _, prompt in own}
            means = {p: fmean(v for c, v in own.items() if c[1] == p) for p in prompts}
            mean = sign * fmean(means.values())
            if row.method not in best or mean < best[row.method][0]:
                best[row.method] = mean, means
    return {method: means for method, (_, means) in best.items()}


def is_ours(path: Path) -> bool:
    """Whether a sheet is one that a report wrote, and not a user's of the same name."""
    # an earlier version's had no `how`
    return path.is_file() and path.read_bytes().startswith(",".join(_COLUMNS[:-1]).encode())


def sheet(found: Ranks) -> str:
    """across.csv."""
    ordered = sorted(found.mean.items(), key=lambda item: item[1])
    lines = [(escape.csv(m), rank, found.blocks, found.critical, _HOW) for m, rank in ordered]
    return str(pd.DataFrame(lines, columns=_COLUMNS).to_csv(index=False))


def write_across(tables: Sequence[Table], out: Path, formats: Sequence[str]) -> None:
    """Of several tables; what an earlier report left goes in any case. Raises OSError."""
    if is_ours(out / SHEET):
        for name in (SHEET, PICTURE):
            (out / name).unlink(missing_ok=True)
    found = over(tables) if len(tables) > 1 else None
    if found is None or "csv" not in formats:
        return
    write_atomic(out / SHEET, sheet(found))
    from benchmark.report.drawing import write_figure
    from benchmark.report.plots.ranks import diagram

    what = f"{len(tables)} tables, {found.blocks} tables x prompts"
    write_figure(lambda: diagram(found, f"Mean rank over {what}"), out / PICTURE)
