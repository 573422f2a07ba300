"""What another machine does with a run, and sends back: no shared disk is needed.

`python -m benchmark.runs.remote` says what a machine lacks; a process of its own, for one that has
served before may hold code of then.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmark.errors import UsageError, format_error, one_line
from benchmark.hashed import known, take
from benchmark.plugins.load import load_plugin
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.forked import modules
from benchmark.runs.spawn import environment
from benchmark.runs.warm_start import WarmStart
from benchmark.runs.worker import changed_files
from benchmark.spec import RunSpec, read_spec
from benchmark.store.locks import locked
from benchmark.store.packed import Packed, pack
from benchmark.store.store import Store

Sent = Mapping[str, Any]
"""`RunSpec.as_json`."""


@dataclass(frozen=True)
class Answered:
    """packed: the stored run, or None.  why: what stopped it."""

    packed: Packed | None
    why: str = ""


@dataclass(frozen=True)
class Suite:
    """What all runs of one suite share on a worker.

    settings: of one run at a time.  imports: the modules that the runs need.  name: another for
    each call of an executor.
    """

    settings: ExecutorSettings
    imports: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, specs: Sequence[RunSpec], settings: ExecutorSettings) -> Suite:
        # the device is the worker's to choose, which has one card for each run
        # and its folder is another, where a relative path names nothing
        plugins = tuple(path.absolute() for path in settings.plugins)
        own = replace(settings, devices=(specs[0].device,), jobs=1, quiet=True, plugins=plugins)
        return cls(own, tuple(modules(specs)), uuid4().hex)

    @property
    def plugins(self) -> list[str]:
        return [str(path) for path in self.settings.plugins]


# where a worker keeps a run, the file that it holds there, and seconds until that is held
_SCRATCH, _HELD, _YOUNG = "bench-run-", ".held", 60.0

# the fork server of each thread of a worker, and the suite that it is for
_KEPT: dict[int, tuple[str, WarmStart]] = {}


def _warm(suite: Suite) -> WarmStart:
    """Of this thread, for the runs of this suite to come."""
    here = threading.get_ident()
    name, warm = _KEPT.get(here, ("", WarmStart(())))
    if name != suite.name:
        # between two suites code may have changed
        warm.close()
        _KEPT[here] = suite.name, (warm := WarmStart(suite.imports))
    return warm


def let_go(suite: str) -> None:
    """End the fork servers of this process that were for a suite of this name."""
    for thread, kept in list(_KEPT.items()):
        # its thread may have another suite's by now
        if kept[0] == suite and _KEPT.get(thread) is kept:
            del _KEPT[thread]
            kept[1].close()


def one_of_each(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """A run of each task, method and set of options: what one needs, its likes need too."""
    found: dict[tuple[str, ...], RunSpec] = {}
    for spec in specs:
        key = (spec.task, spec.method, str(spec.task_options), str(spec.fingerprint))
        found.setdefault(key, spec)
    return list(found.values())


def lacks(specs: Iterable[RunSpec]) -> str:
    """What this process lacks for runs, by name, or "". Raises UsageError."""
    for spec in one_of_each(specs):
        if other := changed_files(spec):
            return f"{other[0]} is not what the runs were planned with"
    return ""


def ask(sent: list[Sent], plugins: list[str]) -> str:
    """As `lacks`, of the machine that this is called on; its large files are hashed then."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmark.runs.remote"],
        input=json.dumps([sent, plugins]),
        capture_output=True,
        text=True,
        check=False,
        env=environment(1),
    )
    if done.returncode:
        return one_line(done.stderr[-300:]) or f"Python ended with {done.returncode}"
    found = json.loads(done.stdout)
    take(found["hashed"])
    return str(found["lacks"])


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one run; those that killed workers left are removed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        # another's that may be gone by now, or not be ours to remove
        with suppress(OSError):
            _remove_stale(path)
    # a lock, for containers may share the folder and not the numbers of their processes
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder, locked(Path(folder) / _HELD):
        yield Path(folder)


def _remove_stale(path: Path) -> None:
    """Where nobody holds it. Raises OSError."""
    # one that is just being made is not locked yet, and must find its lock free
    if time.time() > path.stat().st_mtime + _YOUNG and (path / _HELD).is_file():
        with locked(path / _HELD) as held:
            if held:
                shutil.rmtree(path)


def carry_out_alone(sent: Sent, suite: Suite) -> Answered:
    """One run in a process of its own, with the watchdog of the local executor."""
    from benchmark.runs.supervisor import Supervisor

    spec = read_spec(dict(sent))
    with scratch() as folder:
        store = Store(folder)
        # a cluster calls from a thread, which hears no signals
        outcome = Supervisor(store, suite.settings, _warm(suite), listens=False)([spec])
        found = store.find(spec)
        if outcome == Outcome() and found is not None and not found.open:
            return Answered(pack(store.folder(spec)))
        return Answered(None, outcome.refused or outcome.broken or "it was stopped")


def main() -> None:
    sent, plugins = json.load(sys.stdin)
    try:
        for path in plugins:
            load_plugin(Path(path))
        found = lacks(map(read_spec, sent))
    # whatever a machine without a package, a file or a plug-in raises
    except Exception as error:
        found = one_line(str(error) if isinstance(error, UsageError) else format_error(error))
    print(json.dumps({"lacks": found, "hashed": known()}))


if __name__ == "__main__":
    main()
