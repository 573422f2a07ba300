"""What to do where a report was made with other plug-ins than it is verified with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from benchmark.registry import COSTS, METRICS
from benchmark.report.costs import PREFIX
from benchmark.report.frame import frame, metrics_of
from benchmark.report.metrics import described
from benchmark.store.store import Stored


def hints(rows: pd.DataFrame | None, runs: Sequence[Stored], wrong: bool) -> Iterator[str]:
    """A line for the costs, and one for the metrics, of a plug-in that may be missing or too many.

    rows: the report's runs.csv.  runs: those of its runs that are at hand.  wrong: whether
    something of the report does not follow.
    """
    shown = frame(runs) if rows is None else rows
    there = {c.removeprefix(PREFIX) for c in shown.columns if c.startswith(PREFIX)}
    if unknown := sorted(there - set(COSTS.complete())):
        yield f"no cost {_listed(unknown)} is registered; give its --plugin"
    if not wrong:
        return
    made = frame(runs)
    new = {c.removeprefix(PREFIX) for c in made.columns if c.startswith(PREFIX)} - there
    if added := sorted(new - {name for name in new if made[f"{PREFIX}{name}"].isna().all()}):
        yield f"cost {_listed(added)} was not registered when it was made; leave out its --plugin"
    metrics = sorted(metrics_of(shown))
    if plain := [m for m in metrics if not described(m)]:
        yield f"no metric {_listed(plain)} is described; give its --plugin if it was made with one"
    if foreign := [m for m in metrics if described(m) and not METRICS.entries[m].built_in]:
        yield (
            f"metric {_listed(foreign)} is described by a plug-in; leave it out if it was made "
            "without"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
