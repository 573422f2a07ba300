"""One run in a process of its own: `python -m benchmark.worker`, started and watched by `benchmark.supervisor`.

The job comes as one line of JSON on standard input, which then stays open: when it closes, the supervisor is gone, and
this process goes too. What begins is told on the file descriptor that the job names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from benchmark.errors import StorageError
from benchmark.plan import RunSpec
from benchmark.registry import load_plugin
from benchmark.runner import Terminated, run_one
from benchmark.store import Store

STORAGE, INTERRUPTED, ORPHAN = 4, 130, 5
"""Exit statuses: the output cannot be written; stopped, and can be resumed; the supervisor is gone."""


def _end_with(supervisor: Any) -> None:
    supervisor.read()
    os._exit(ORPHAN)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise Terminated


def read_spec(found: dict[str, Any]) -> RunSpec:
    """The inverse of `RunSpec.as_json`."""
    return RunSpec(**found | {"marks": tuple(found["marks"])})


def main() -> int:
    signal.signal(signal.SIGTERM, _terminate)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    sys.stdout = sys.stderr  # what a method prints is no part of the table
    for path in job["plugins"]:
        load_plugin(Path(path))

    def event(name: str, left: float | None) -> None:
        with suppress(OSError):  # a supervisor that is gone is seen elsewhere
            os.write(job["events"], json.dumps([name, left]).encode() + b"\n")

    try:
        run_one(
            read_spec(job["spec"]), Store(Path(job["out"])), quiet=job["quiet"], device=job["device"], event=event,
            about=job["about"],
        )  # fmt: skip
    except (KeyboardInterrupt, Terminated):
        return INTERRUPTED
    except StorageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return STORAGE
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # no waiting for threads or children that a method left behind
