"""A process that has imported what runs need, and forks one for each of them (Linux).

`python -m benchmark.runs.fork_server`, with a socket for standard input. The first line is JSON:
the modules to import. Each later byte comes with the file descriptors of a run: its status,
standard input, events, lock and, where it does not print itself, its output. The end of the socket
ends it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from benchmark.runs import worker
from benchmark.runs.forked import BLAS, OPENBLAS
from benchmark.runs.neighbours import FORK

_MOST = 5  # descriptors of a run
_PR_SET_NAME = 15  # Linux
# of pyarrow's allocator, which stops before a fork and goes on after it
_SAFE = ("jemalloc_bg_thd",)


def _threads() -> list[str]:
    """The names of this process's threads but the first: none of them lives on in a fork."""
    tasks = sorted(Path("/proc/self/task").iterdir(), key=lambda p: int(p.name))
    names = [(p / "comm").read_text(encoding="utf-8").strip() for p in tasks[1:]]
    return [name for name in names if name not in _SAFE]


def _prepared(modules: Sequence[str]) -> str:
    """Import them; returns why this process cannot be forked, or ""."""
    for name in modules:
        # the run that needs it says what is wrong with it
        with suppress(Exception):
            import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "an import opened a GPU"
    if found := _threads():
        return f"an import started a thread ({found[0]})"
    if not hasattr(os, "pidfd_open"):
        return "this system has no pidfd_open"
    gc.collect()
    # else the collector writes to every object's page, which is then copied for each run
    gc.freeze()
    return ""


def _own_threads() -> None:
    """As many threads for linear algebra as a fresh process has; this one's parent had one."""
    if (before := os.environ.pop(BLAS, None)) is None:
        return
    del os.environ[OPENBLAS]
    if before:
        os.environ[OPENBLAS] = before
    from threadpoolctl import ThreadpoolController

    share = before or os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
    with suppress(ValueError):
        blas = ThreadpoolController().select(internal_api="openblas")
        blas.limit(limits=max(1, int(share.split(",")[0])))


def _run(status: int, stdin: int, events: int, lock: int, *printer: int) -> NoReturn:
    """Be a run's process until it ends."""
    os.setsid()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, FORK.encode())
    os.dup2(stdin, 0)
    os.close(stdin)
    for number in printer:
        os.dup2(number, 2)
        os.close(number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    # only now: whoever has the number may send signals to its group
    os.write(status, json.dumps({"pid": os.getpid()}).encode() + b"\n")
    os.close(status)
    gc.unfreeze()
    # a fork has its parent's state of global generators, and runs must not share their numbers
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    _own_threads()
    worker.end(worker.main(events, lock))


class ForkServer:
    """running: the status descriptors of runs by the descriptor that tells their end."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self._running: dict[int, tuple[int, int]] = {}

    def _start(self, descriptors: list[int]) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.write(descriptors[0], json.dumps({"error": os.strerror(error.errno or 0)}).encode())
            for number in descriptors:
                os.close(number)
            return
        if pid == 0:
            try:
                worker.die_with(parent)
                self._ours.close()
                for pidfd, (_, own) in self._running.items():
                    os.close(pidfd)
                    os.close(own)
                _run(*descriptors)
            # nothing may go on in this process as if it were its parent
            except BaseException:
                traceback.print_exc()
            finally:
                worker.end(1)
        for number in descriptors[1:]:
            os.close(number)
        self._running[os.pidfd_open(pid)] = pid, descriptors[0]

    def _ended(self, pidfd: int) -> None:
        pid, status = self._running.pop(pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # nobody reads it where the supervisor is gone
        with suppress(OSError):
            os.write(status, json.dumps({"status": code}).encode() + b"\n")
        os.close(status)
        os.close(pidfd)

    def __call__(self) -> None:
        while True:
            with selectors.DefaultSelector() as selector:
                for number in (self._ours.fileno(), *self._running):
                    selector.register(number, selectors.EVENT_READ)
                ready = [key.fd for key, _ in selector.select()]
            for number in ready:
                if number != self._ours.fileno():
                    self._ended(number)
                    continue
                asked, descriptors, *_ = socket.recv_fds(self._ours, 1, _MOST)
                if not asked:
                    return
                self._start(descriptors)


def main() -> None:
    # its forks have the mask too: a run hears signals once it can store how it ended
    signal.pthread_sigmask(signal.SIG_BLOCK, worker.SIGNALS)
    worker.die_with(os.getppid())
    ours = socket.socket(fileno=os.dup(0))
    line = b""
    while not line.endswith(b"\n"):
        if not (part := ours.recv(2**16)):
            return
        line += part
    why = _prepared(json.loads(line))
    ours.sendall(json.dumps(why).encode() + b"\n")
    if not why:
        ForkServer(ours)()


if __name__ == "__main__":
    with suppress(BrokenPipeError, ConnectionResetError):
        main()
