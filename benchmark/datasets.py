"""What `bench fetch` downloads, and where data sets lie, which is no part of a run's identity."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import UsageError, suggest
from benchmark.plan import by_owner, make_task, parse_settings
from benchmark.registry import TASKS, Fetcher, resolve

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


def fetch_preset(
    preset: str,
    task: str | None,
    short: Mapping[str, str],
    settings: Sequence[str] = (),
    *,
    dry_run: bool = False,
    base: str = "",
) -> None:
    """Download the networks of a preset: of one task, or of every one that has such a preset and networks to fetch.

    short: options of every such task.  base: an address instead of the files' own, for what is on no hub.
    Raises UsageError.
    """
    kinds = {name: TASKS.get(name) for name in ([task] if task else sorted(TASKS.complete()))}
    able = {name: kind for name, kind in kinds.items() if issubclass(kind, Fetcher)}
    if not able:
        raise UsageError(f"fetch: task {task!r} has no networks to fetch")
    chosen = [name for name, kind in able.items() if preset in kind.presets]
    if not chosen:
        known = sorted({p for kind in able.values() for p in kind.presets})
        raise UsageError(f"unknown preset {preset!r}{suggest(preset, known)}; known: {', '.join(known)}")
    table = parse_settings(settings, chosen)
    for name in chosen:
        own, _ = by_owner(able[name].presets[preset])
        maker = make_task(name, {**own, **short, **table[name]})
        assert isinstance(maker, Fetcher)
        maker.fetch(dry_run, base)
