"""Where the data sets lie, and the one way to download one. Where they lie is no part of a run's identity."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import UsageError, suggest
from benchmark.registry import resolve

VARIABLE = "BENCH_DATA_DIR"


@contextmanager
def data_dir(folder: str | Path | None) -> Iterator[None]:
    """Within it the environment names this folder, for tasks and for their processes; None leaves it as it is.

    Raises UsageError for what is no folder.
    """
    if folder is None:
        yield
        return
    if not str(folder).strip() or not os.path.isdir(folder):
        raise UsageError(f"--data-dir {str(folder)!r}: expected a folder that holds data sets, there is none")
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(Path(folder).absolute())
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def data_sets() -> Mapping[str, str]:
    """What can be fetched: name, and where the function is that fetches it. Nothing is imported."""
    table: Mapping[str, str] = importlib.import_module("tasks").FETCH
    return table


def fetch(name: str, folder: str | None, urls: Sequence[str] = ()) -> None:
    """Download a data set into a folder, made if need be. folder: None means what the environment names.

    urls: mirrors to use instead of the data set's own. Raises UsageError.
    """
    known = data_sets()
    if name not in known:
        raise UsageError(f"unknown data set {name!r}{suggest(name, known)}; known: {', '.join(sorted(known))}")
    folder = os.environ.get(VARIABLE, "") if folder is None else folder
    if not folder.strip():
        raise UsageError(f"fetch {name}: expected a folder to fetch into; name it with --data-dir DIR or {VARIABLE}")
    fetcher = resolve(known[name])
    if urls:
        fetcher(Path(folder), urls)
    else:
        fetcher(Path(folder))
