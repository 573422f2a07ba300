"""A line on standard error every few seconds while a check takes long."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TextIO


class Still:
    """Within it, prints every few seconds what is being checked; called with what begins."""

    def __init__(self, every: float = 10.0, stream: TextIO | None = None) -> None:
        self._every, self._stream = every, stream or sys.stderr
        self._now: tuple[str, float] = ("", 0.0)
        self._news = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Still:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._news.set()
        self._thread.join()

    def __call__(self, what: str) -> None:
        self._now = (what, time.monotonic())
        self._news.set()

    def _watch(self) -> None:
        while not self._over:
            if self._news.wait(self._every):
                self._news.clear()
                continue
            what, since = self._now
            if what:
                # a stream that is gone is not the check's concern
                with suppress(OSError, ValueError):
                    print(
                        f"still checking: {what} ({time.monotonic() - since:.0f} s)",
                        file=self._stream,
                        flush=True,
                    )
