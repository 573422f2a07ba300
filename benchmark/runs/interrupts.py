"""Signals that end a run: SIGTERM, and whether a KeyboardInterrupt is the user's or a method's."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn


class Terminated(BaseException):
    """SIGTERM: past the budget the search ends here, before it the run stops and can be resumed."""


class Interrupts:
    """came: whether a SIGINT came since `listen`; True too where another handler hides it.

    heard: whether what it raised has reached the run, which needs no second one.
    """

    def __init__(self) -> None:
        handler = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        self._own = main and handler is signal.default_int_handler
        # a shell's background jobs ignore SIGINT, and no thread but the first is sent one
        self._known = self._own or handler is signal.SIG_IGN or not main
        self._came = self.heard = False

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

    def again(self) -> None:
        """Raise what a SIGINT raised once more, unless it was heard."""
        # C code of other packages clears whatever error it meets, imports above all
        if self._came and not self.heard:
            raise KeyboardInterrupt
