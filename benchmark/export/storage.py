"""Studies in a file that Optuna opens: a SQLite database or a journal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection

from benchmark.errors import StorageError, UsageError, one_line
from benchmark.export.studies import attributes, study_name, study_trials
from benchmark.store.files import scratch_of
from benchmark.store.store import Stored

SQLITE = "sqlite:///"
_WANTED = f"expected {SQLITE}FILE.db or FILE.log"


def write_studies(
    runs: Sequence[Stored],
    target: str,
    replace: bool,
    progress: Callable[[int], None] = lambda n: None,
) -> int:
    """Add a study a run; returns how many trials there are.

    target: `sqlite:///study.db` or `journal.log`; a file that is there keeps its other studies.
    replace: studies of the same names go first.  progress: called with the runs that are done.
    Raises UsageError, and StorageError where nothing can be written; then the file is as it was.
    """
    path = _path(target)
    with _scratch(path) as scratch, _quiet():
        storage, there = _open(scratch, target)
        taken = {n: there[n] for n in map(study_name, runs) if n in there}
        if taken and not replace:
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            raise UsageError(
                f"--to optuna {target!r}: expected a storage without these studies, got one that "
                f"has {next(iter(taken))!r}{more}; give --replace or another name"
            )
        for number in taken.values():
            storage.delete_study(number)
        count = 0
        for k, run in enumerate(runs):
            count += _add(storage, run)
            progress(k + 1)
        if isinstance(storage, RDBStorage):
            # its connections would hold the scratch file's name
            storage.remove_session()
            storage.engine.dispose()
    return count


def _path(target: str) -> Path:
    name = target.removeprefix(SQLITE)
    if target.startswith(SQLITE) and name:
        return Path(name)
    if "://" not in target and target.endswith(".log"):
        return Path(target)
    raise UsageError(f"--to optuna {target!r}: {_WANTED}")


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A copy to write to, which takes the place of the file once all is written."""
    scratch = scratch_of(path)
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise UsageError(f"--to optuna {str(path)!r}: {_WANTED}, got {what}")
        for busy in (path.with_name(path.name + end) for end in ("-journal", "-wal")):
            # a copy without these would lose what they hold
            if busy.exists():
                raise UsageError(
                    f"--to optuna {str(path)!r}: expected a database that nobody writes to, got "
                    f"one with {busy.name} beside it; end what uses it, or give another name"
                )
        if path.exists():
            shutil.copyfile(path, scratch)
        yield scratch
        os.replace(scratch, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        # SQLite's and the journal's own files beside it
        for left in path.parent.glob(f"{escape(scratch.name)}*"):
            with suppress(OSError):
                left.unlink()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line for each study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _open(path: Path, target: str) -> tuple[BaseStorage, dict[str, int]]:
    """The storage, and its studies by name."""
    try:
        # made first: of a folder that is not there the system says more than sqlalchemy
        if not path.exists():
            path.touch(exist_ok=False)
        opened = _database if target.startswith(SQLITE) else _journal
        storage = opened(path)
        return storage, {s.study_name: s._study_id for s in storage.get_all_studies()}
    except OSError:
        raise
    # sqlalchemy, alembic and json each have their own errors for what is no storage
    except Exception as error:
        raise UsageError(
            f"--to optuna {target!r}: expected a storage of Optuna, which it cannot open "
            f"({one_line(str(error))}); give another name"
        ) from error


def _database(path: Path) -> BaseStorage:
    return RDBStorage(f"{SQLITE}{path}")


def _journal(path: Path) -> BaseStorage:
    # Optuna takes a broken last line for one that another process is writing
    for line in path.read_text(encoding="utf-8").splitlines():
        json.loads(line)
    return JournalStorage(JournalFileBackend(str(path)))


def _add(storage: BaseStorage, run: Stored) -> int:
    number = storage.create_new_study([StudyDirection.MINIMIZE], study_name(run))
    for name, value in attributes(run).items():
        storage.set_study_user_attr(number, name, value)
    count = 0
    for trial in study_trials(run):
        storage.create_new_trial(number, template_trial=trial)
        count += 1
    return count
