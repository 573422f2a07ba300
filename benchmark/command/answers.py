"""The runs whose answers a command measures, and how far it is with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmark.errors import UsageError
from benchmark.runs.refit import Show
from benchmark.store.store import Store
from benchmark.store.stored import Stored


def answered(folder: Path) -> list[Stored]:
    """The finished runs below a folder that have an answer. Raises UsageError where none has."""
    runs = [run for run in Store(folder) if run.done and run.tests]
    if not runs:
        raise UsageError(
            f"{folder}: expected finished runs with an answer (TASK/METHOD/RUN/run.json), found "
            "none; make some with bench run"
        )
    return runs


@contextmanager
def shown(what: str, total: int) -> Iterator[Show]:
    """A bar, on a terminal alone; what is to be called with how many are done."""
    bar = tqdm(total=total, desc=what, disable=None, leave=False)

    def show(done: int, of: int) -> None:
        bar.update(done - bar.n)

    with bar:
        yield show
