"""Signals to an engine's driver: what ends it, and what its workers here must not hear."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import NoReturn

_ENDS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends an engine as Ctrl-C does: what is stored stays, and no worker is left."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


@contextmanager
def _handling(handler: Callable[[int, object], object]) -> Iterator[None]:
    """Of both signals, which only a main thread can hear."""
    here = threading.current_thread() is threading.main_thread()
    before = {n: signal.signal(n, handler) for n in _ENDS if here}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM come after it; processes that are started in it hear no Ctrl-C at all.

    It is their driver's, which ends them.
    """
    heard: list[int] = []
    # threads and processes inherit what is blocked; starting the tracker later would unblock it
    resource_tracker.ensure_running()
    with _handling(lambda number, frame: heard.append(number)):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if heard:
        raise KeyboardInterrupt
