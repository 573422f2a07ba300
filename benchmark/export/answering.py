"""Whether a tracker's server answers, in a bounded time: its client may wait for minutes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from benchmark.errors import UsageError, format_error

WAIT = 15.0
"""Seconds."""


def ask(who: str, question: Callable[[], object], cure: str, wait: float = WAIT) -> None:
    """Raises UsageError where the question raises, or has no answer in time."""
    errors: list[Exception] = []

    def answer() -> None:
        try:
            question()
        # clients raise many kinds
        except Exception as error:
            errors.append(error)

    # a daemon, or one that hangs would keep the command from ending
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(wait)
    if errors and isinstance(errors[0], UsageError):
        raise errors[0]
    if errors or thread.is_alive():
        got = format_error(errors[0])[:200] if errors else f"none within {wait:g} s"
        raise UsageError(f"{without_password(f'{who}: expected an answer, got {got}')}; {cure}")


def without_password(text: str) -> str:
    """Addresses without USER:PASSWORD@."""
    return re.sub(r"://[^\s/@]*@", "://", text)
