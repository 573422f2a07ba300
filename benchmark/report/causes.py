"""What is to be said of single runs: one line for each cause, with the first run that had it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.errors import one_line
from benchmark.store.store import Stored


def who(run: Stored) -> str:
    """A run as a line calls it."""
    return f"{run.run['spec']['method']}, seed {run.run['spec']['seed']}"


def causes(what: str, found: Iterable[tuple[Stored, object]]) -> Iterator[str]:
    """Lines such as `failed: grid, seed 0 and 2 more: RuntimeError: no`. found: run and cause."""
    runs: dict[str, list[str]] = {}
    for run, why in found:
        runs.setdefault(one_line(str(why)), []).append(who(run))
    for why, names in runs.items():
        yield f"{what}: {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {why}"
