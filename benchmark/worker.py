"""One run in a process of its own: `python -m benchmark.worker`, started and watched by `benchmark.supervisor`.

The job comes as one line of JSON on standard input, which then stays open: when it closes, the supervisor is gone, and
this process goes too. What begins is told on the file descriptor that the job names.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from benchmark.errors import Refused, StorageError, UsageError, one_line, said
from benchmark.guard import Guard
from benchmark.plan import RunSpec, code
from benchmark.registry import load_plugin
from benchmark.runner import Terminated, run_one
from benchmark.store import Store
from benchmark.surroundings import settle

STORAGE, REFUSED, INTERRUPTED = 4, 5, 130
"""Exit statuses: the output cannot be written; the task cannot be set up; stopped, and can be resumed."""


SIGNALS = {signal.SIGINT, signal.SIGTERM}  # blocked by the supervisor until this process is ready for them
_PR_SET_PDEATHSIG = 1  # Linux


def _end_with(supervisor: Any) -> None:
    """Wait for its end; then end, with every process of this group."""
    supervisor.read()
    os.killpg(0, signal.SIGKILL)


def _die_with_parent() -> None:
    """The kernel's way, where it has one: it works while native code holds the interpreter."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _keep(*numbers: int) -> None:
    """These file descriptors are this process's alone: one that a method leaves behind must not hold the run's lock."""

    def close() -> None:
        for number in numbers:
            with suppress(OSError):
                os.close(number)

    for number in numbers:
        os.set_inheritable(number, False)
    os.register_at_fork(after_in_child=close)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise Terminated


def read_spec(found: dict[str, Any]) -> RunSpec:
    """The inverse of `RunSpec.as_json`."""
    return RunSpec(**found | {"marks": tuple(found["marks"])})


def _changed(spec: RunSpec, now: Mapping[str, str]) -> list[str]:
    """The names whose hashes are no longer those that the run was planned with."""
    return [name for name, digest in now.items() if spec.fingerprint.get(name) != digest]


def _same_files(spec: RunSpec) -> None:
    """Raises Refused where a file or code is no longer what the run was planned with."""
    try:
        now = code(spec.method, spec.task) | dict(spec.maker().fingerprint())
    except UsageError as error:
        raise Refused(str(error)) from error
    if other := _changed(spec, now):
        raise Refused(f"{other[0]} was changed after the run had been planned; start `bench run` again")


def _run(job: dict[str, Any]) -> int:
    spec, store = read_spec(job["spec"]), Store(Path(job["out"]))

    def event(name: str, left: float | str | None) -> None:
        with suppress(OSError):  # a supervisor that is gone is seen elsewhere
            os.write(
                job["events"], b"\n" + json.dumps([name, left]).encode() + b"\n"
            )  # apart from what a method writes

    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            for path in job["plugins"]:
                load_plugin(Path(path))
            _same_files(spec)
            run_one(
                spec, store, quiet=job["quiet"], device=job["device"], event=event, jobs=job["jobs"],
                guard=Guard(idle=job["idle"]),
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    except (KeyboardInterrupt, Terminated):
        return INTERRUPTED
    except Refused as error:
        event("refused", one_line(str(error)))
        return REFUSED
    except StorageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return STORAGE
    except BaseException as error:  # whatever a plug-in may raise
        store.fail(spec, said(error))
    return 0


def main() -> int:
    _die_with_parent()
    signal.signal(signal.SIGTERM, _terminate)
    settle()
    job = json.loads(sys.stdin.readline())
    _keep(job["lock"], job["events"])
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    sys.stdout = sys.stderr  # what a method prints is no part of the table
    return _run(job)


if __name__ == "__main__":
    status = main()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(status)  # no waiting for threads or children that a method left behind
