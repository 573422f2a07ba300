"""Starts a run's process, by a fork server or fresh, with its job on standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from benchmark.hashed import known
from benchmark.runs.child import Child
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.forked import Forked, WarmParent
from benchmark.runs.worker import SIGNALS
from benchmark.spec import RunSpec
from benchmark.store.store import Store

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """What is read here, and what is written by a run; each is closed with its stack."""
    reader, writer = os.pipe()
    ours.callback(os.close, reader)
    theirs.callback(os.close, writer)
    # the supervisor reads what there is, and never waits for one run
    os.set_blocking(reader, False)
    return reader, writer


def share(slots: int) -> int:
    """How many threads one of so many processes gets, of as many as there are cores."""
    return max(1, (os.cpu_count() or 1) // slots)


def environment(slots: int) -> dict[str, str]:
    """The caller's, with its share of threads unless the user has set them."""
    environment = dict(os.environ)
    if slots > 1 and not any(name in environment for name in THREADS):
        environment |= dict.fromkeys(THREADS, str(share(slots)))
    # what this process can import, the worker can too, wherever it is started
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path)
    return environment


def _forked(
    warm: WarmParent, printer: int | None, inherited: tuple[int, int], waiting: Callable[[], None]
) -> Forked:
    reader, writer = os.pipe()
    stdin = os.fdopen(writer, "wb")
    try:
        theirs = [reader, *inherited, *([] if printer is None else [printer])]
        return warm.start(stdin, theirs, waiting)
    except BaseException:
        stdin.close()
        raise
    finally:
        os.close(reader)


def _process(
    printer: int | None, inherited: tuple[int, int], slots: int
) -> subprocess.Popen[bytes]:
    # -P: a user's file in the working directory must not be imported instead of a module.
    # A session of its own: a Ctrl-C of the terminal reaches the supervisor alone
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "benchmark.runs.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=printer,
        start_new_session=True,
        pass_fds=inherited,
        env=environment(slots),
    )


def _job(spec: RunSpec, store: Store, settings: ExecutorSettings, told: bool) -> dict[str, Any]:
    leases = store.leases
    return {
        "spec": spec.as_json(),
        "out": str(store.root.absolute()),
        "quiet": settings.quiet or len(settings.slots) > 1,
        "told": told,
        "plugins": [str(p.absolute()) for p in settings.plugins],
        "idle": settings.idle,
        "hashed": known(),
        "lease": None if leases is None else {"patience": leases.patience, "owner": leases.owner},
    }


def spawn(
    spec: RunSpec,
    store: Store,
    settings: ExecutorSettings,
    *,
    slot: str,
    lock: int,
    held: ExitStack,
    jobs: int,
    told: bool,
    children: list[Child],
    warm: WarmParent | None,
    waiting: Callable[[], None],
) -> None:
    """Start a run's process and add it to the children. Raises OSError where none can be started.

    warm: the server that forks it; None: it is a fresh one.  waiting: called while it answers.

    lock: the run's, which the process inherits.  held: releases it here.
    jobs: how many runs share the machine.  told: whether it says how far it is.
    """
    with ExitStack() as ours, ExitStack() as theirs:
        reader, writer = _pipe(ours, theirs)
        prints, printer = _pipe(ours, theirs) if settings.quiet or told else (None, None)
        # blocked signals are inherited: the worker unblocks them when it is ready, and no handler
        # runs here before the child is in the list
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process: Forked | subprocess.Popen[bytes]
            if warm is None:
                process = _process(printer, (writer, lock), len(settings.slots))
            else:
                process = _forked(warm, printer, (writer, lock), waiting)
            children.append(Child(spec, slot, process, reader, held, prints))
            ours.pop_all()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    place = {"device": slot, "events": writer, "lock": lock, "jobs": jobs}
    job = _job(spec, store, settings, told) | place
    assert process.stdin is not None
    # a process that is gone already is seen by the supervisor
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
