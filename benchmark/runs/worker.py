"""One run in a process of its own: a fork of the fork server, or `python -m benchmark.runs.worker`.

The job comes as one line of JSON on standard input, which then stays open: when it closes, the
supervisor is gone, and this process goes too. Events are written to a file descriptor of the job.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from benchmark.errors import Refused, StorageError, UsageError, format_error, one_line
from benchmark.hashed import take
from benchmark.plugins.load import load_plugin
from benchmark.runs.interrupts import Interrupts, Terminated
from benchmark.runs.runner import run_one
from benchmark.runs.surroundings import settle
from benchmark.search.guard import Guard
from benchmark.spec import RunSpec, code, read_spec, task_code
from benchmark.store.fence import Fence
from benchmark.store.lease import Leases
from benchmark.store.store import Store

STORAGE, REFUSED, LOST, INTERRUPTED = 4, 5, 6, 130
"""Exit statuses: the output cannot be written; the task cannot be set up; another worker has the
run; it can be resumed.
"""

SIGNALS = {signal.SIGINT, signal.SIGTERM}
"""Blocked by the supervisor until this process is ready for them."""
_PR_SET_PDEATHSIG = 1  # Linux


def _end_with(supervisor: Any) -> None:
    """Wait for its end; then end, with every process of this group."""
    supervisor.read()
    os.killpg(0, signal.SIGKILL)


def die_with(parent: int) -> None:
    """The kernel's way, where it has one: it works while native code holds the interpreter."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # it may be gone already
    if os.getppid() != parent:
        os._exit(1)


def _keep(*numbers: int) -> None:
    """Close these file descriptors in every child process, which must not hold the run's lock."""

    def close() -> None:
        for number in numbers:
            with suppress(OSError):
                os.close(number)

    for number in numbers:
        os.set_inheritable(number, False)
    os.register_at_fork(after_in_child=close)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise Terminated


def changed_files(spec: RunSpec, method: bool = True) -> list[str]:
    """Names of files and code that are no longer what a run was planned with. Raises UsageError.

    method: whether its method's code counts too.
    """
    own = code(spec.method, spec.task) if method else task_code(spec.task)
    now = own | dict(spec.maker().fingerprint())
    return [name for name, digest in now.items() if spec.fingerprint.get(name) != digest]


def same_files(spec: RunSpec, method: bool = True, harness: bool = True) -> None:
    """Raises Refused where a file or code is no longer what the run was planned with.

    method: as of `changed_files`.  harness: whether the suite's own code counts too.
    """
    try:
        other = changed_files(spec, method)
    except UsageError as error:
        raise Refused(str(error)) from error
    if other := [name for name in other if harness or name != "suite"]:
        raise Refused(
            f"{other[0]} was changed after the run had been planned; start `bench run` again"
        )


def same_task(spec: RunSpec, harness: bool = True) -> None:
    """Raises UsageError or Refused where a run's task is no longer what it was made with.

    harness: as of `same_files`.
    """
    if (now := type(spec.maker()).version) != spec.task_version:
        raise UsageError(
            f"expected version {now} of task {spec.task!r}, it was made with {spec.task_version}; "
            "run it again"
        )
    same_files(spec, False, harness)


def _load(plugins: Sequence[str]) -> None:
    """Raises Refused: what could be loaded where the run was planned is missing here."""
    try:
        for path in plugins:
            load_plugin(Path(path))
    except UsageError as error:
        raise Refused(str(error)) from error


def _run(job: dict[str, Any]) -> int:
    spec, store = read_spec(job["spec"]), Store(Path(job["out"]))
    fence = _fence(job["lease"], store.folder(spec))

    def event(name: str, left: object) -> None:
        # a newline first, for a method may have written half a line to the same descriptor
        line = b"\n" + json.dumps([name, left]).encode() + b"\n"
        # that the supervisor is gone is seen by its end of standard input
        with suppress(OSError):
            os.write(job["events"], line)

    try:
        try:
            interrupts = Interrupts()
            interrupts.listen()
            # from here on an interrupt finds a run that can store how it ended
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            _load(job["plugins"])
            same_files(spec)
            run_one(
                spec,
                store,
                quiet=job["quiet"],
                told=job["told"],
                device=job["device"],
                event=event,
                jobs=job["jobs"],
                guard=Guard(idle=job["idle"]),
                interrupts=interrupts,
                fence=fence,
            )
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
    # whatever a plug-in may raise
    except BaseException as error:
        if fence is not None:
            fence.hold()
        store.fail(spec, format_error(error))
    return 0


def _fence(lease: dict[str, Any] | None, folder: Path) -> Fence | None:
    """lease: the supervisor's; None where runs are its own by locks alone."""
    if lease is None:
        return None
    # nothing may be written any more, not even what files hold back until they are closed
    return Fence(Leases(**lease), folder, lambda: end(LOST))


def main(events: int | None = None, lock: int | None = None) -> int:
    """events, lock: their file descriptors where they are not those of the job."""
    signal.signal(signal.SIGTERM, _terminate)
    settle()
    job = json.loads(sys.stdin.readline())
    if events is not None:
        job |= {"events": events, "lock": lock}
    take(job["hashed"])
    _keep(job["lock"], job["events"])
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    # what a method prints is no part of the table on standard output
    sys.stdout = sys.stderr
    return _run(job)


def end(status: int) -> NoReturn:
    """End this process, without waiting for threads or children that a method left behind."""
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    die_with(os.getppid())
    end(main())
