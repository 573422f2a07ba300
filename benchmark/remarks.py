"""What a task, a method or the harness had to say of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from benchmark.errors import one_line, said

_NOTES = 20


def _message(record: logging.LogRecord) -> str:
    """A call with arguments that do not fit its text is no reason to fail a run."""
    try:
        return record.getMessage()
    except Exception as error:
        return f"a log call that cannot be formatted ({record.filename}, line {record.lineno}): {said(error)}"


class Notes(logging.Handler):
    """Keeps what a task or a method had to say (a back-off, a fallback), each message once."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        super().__init__(logging.WARNING)
        self.texts = list(texts)

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(_message(record))
        if text not in self.texts and len(self.texts) < _NOTES:
            self.texts.append(text)
