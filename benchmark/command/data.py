"""What `bench fetch` downloads, and where data sets lie, which is no part of a run's identity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import UsageError, suggest
from benchmark.maker import Fetcher
from benchmark.registry import DATA_SETS, TASKS
from benchmark.runs.plan import Options, check_owners
from benchmark.spec import make_task, settled

VARIABLE = "BENCH_DATA_DIR"


@contextmanager
def data_dir(folder: str | Path | None) -> Iterator[None]:
    """Have the environment name this folder for tasks and their processes; None changes nothing.

    Raises UsageError for what is no folder.
    """
    if folder is None:
        yield
        return
    if not str(folder).strip() or not os.path.isdir(folder):
        raise UsageError(
            f"--data-dir {str(folder)!r}: expected a folder that holds data sets, there is none"
        )
    # by the environment, which worker processes inherit
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(Path(folder).absolute())
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def fetch(name: str, folder: str | None, urls: Sequence[str] = ()) -> None:
    """Download a data set into a folder, made if need be.

    folder: None means what the environment names.  urls: mirrors instead of the data set's own.
    Raises UsageError.
    """
    fetcher = DATA_SETS.get(name)
    folder = os.environ.get(VARIABLE, "") if folder is None else folder
    if not folder.strip():
        raise UsageError(
            f"fetch {name}: expected a folder to fetch into; name it with --data-dir DIR or "
            f"{VARIABLE}"
        )
    if urls:
        fetcher(Path(folder), urls)
    else:
        fetcher(Path(folder))


def fetch_preset(
    preset: str,
    task: str | None,
    short: Mapping[str, str],
    options: Options | None = None,
    *,
    dry_run: bool = False,
    base: str = "",
) -> None:
    """Download a preset's networks: of one task, of those with options, or of all that have it.

    short: options of every such task.  options: of tasks, by name.
    base: an address instead of the files' own, for what is on no hub. Raises UsageError.
    """
    kinds = {name: TASKS.get(name) for name in ([task] if task else sorted(TASKS.complete()))}
    able = {name: kind for name, kind in kinds.items() if issubclass(kind, Fetcher)}
    if not able:
        raise UsageError(f"fetch: task {task!r} has no networks to fetch")
    chosen = [name for name, kind in able.items() if preset in kind.presets]
    if not chosen:
        known = sorted({p for kind in able.values() for p in kind.presets})
        raise UsageError(
            f"unknown preset {preset!r}{suggest(preset, known)}; known: {', '.join(known)}"
        )
    given = options or {}
    check_owners(given, chosen)
    # a setting of one task is no reason to fetch gigabytes for another
    chosen = [name for name in chosen if name in given] or chosen
    for name in chosen:
        wanted = {**short, **given.get(name, {})}
        own, _ = settled(kinds[name], preset, wanted)
        maker = make_task(name, {**own, **wanted})
        assert isinstance(maker, Fetcher)
        maker.fetch(dry_run, base)
