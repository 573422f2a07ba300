"""Errors that a user can cause. Each message says what was expected, what came, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """Wrong usage: one clear line and exit status 2."""


class Refused(UsageError):
    """Found as a run was set up: files that a task cannot take. No fault of a method, so no failed run."""


class StorageError(BaseException):
    """The output cannot be written: a full disk, a folder that was closed or taken away.

    No Exception, so that a method's `except Exception` around an evaluation does not swallow it.
    """


_SAID = 10_000  # characters


def said(error: BaseException) -> str:
    """What an error says, in one line that can be stored, whatever it is made of."""
    try:
        text = str(error)
    except Exception:
        text = "(it cannot be printed)"
    return one_line(f"{type(error).__name__}: {text}")


def one_line(text: str) -> str:
    """Shortened to one line, and such that it can be encoded."""
    short = " ".join(text[: 4 * _SAID].split())[:_SAID]
    return short.encode("utf-8", "backslashreplace").decode()


def suggest(word: str, known: Iterable[str]) -> str:
    """The text `; did you mean 'x'?`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def refuse_prompt(task: str, prompt: str) -> None:
    """Raise UsageError where a task without prompts is given one."""
    if prompt:
        raise UsageError(f"task {task!r} takes no --prompt, got {prompt!r}; leave it out")
