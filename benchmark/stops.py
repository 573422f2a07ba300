"""Whether it was the user who stopped a run: a method may raise a KeyboardInterrupt itself."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn


class Stops:
    """came: whether a SIGINT did, since `listen`; True too where another handler makes that unknown."""

    def __init__(self) -> None:
        handler = signal.getsignal(signal.SIGINT)
        self._own = threading.current_thread() is threading.main_thread() and handler is signal.default_int_handler
        # ignored, as in a shell's background jobs, none can come; another thread than the first is sent none
        self._known = (
            self._own or handler is signal.SIG_IGN or threading.current_thread() is not threading.main_thread()
        )
        self._came = False

    @property
    def came(self) -> bool:
        return self._came or not self._known

    def _handle(self, number: int, frame: FrameType | None) -> NoReturn:
        self._came = True
        raise KeyboardInterrupt

    def listen(self) -> None:
        if self._own:
            signal.signal(signal.SIGINT, self._handle)

    def leave(self) -> None:
        if self._own:
            signal.signal(signal.SIGINT, signal.default_int_handler)
