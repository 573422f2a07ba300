"""Notes of a run: warnings that its task, its method or the harness logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from benchmark.errors import format_error, one_line

_NOTES = 20


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    # arguments that do not fit their text are no reason to fail a run
    except Exception as error:
        return (
            f"a log call that cannot be formatted ({record.filename}, line {record.lineno}): "
            f"{format_error(error)}"
        )


class Notes(logging.Handler):
    """Keeps warnings, such as that a guidance strength was reduced; each message once."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        super().__init__(logging.WARNING)
        self.texts = list(texts)

    def emit(self, record: logging.LogRecord) -> None:
        text = one_line(_message(record))
        if text not in self.texts and len(self.texts) < _NOTES:
            self.texts.append(text)
