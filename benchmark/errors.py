"""Errors that a user can cause. Each message says what was expected, what came, and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

from benchmark.escape import visible


class UsageError(Exception):
    """Wrong usage: one clear line and exit status 2."""


class Refused(UsageError):
    """Found as a run was set up: files that a task cannot take. No fault of a method, so no failed run."""


class StorageError(BaseException):
    """The output cannot be written: a full disk, a folder that was closed or taken away.

    No Exception, so that a method's `except Exception` around an evaluation does not swallow it.
    """


_SAID = 10_000  # characters
_ROOT = Path(__file__).parent.parent
SUITE = tuple(_ROOT / name for name in ("benchmark", "methods", "tasks"))


def said(error: BaseException) -> str:
    """What an error says, in one line that can be stored, whatever it is made of."""
    try:
        text = str(error)
    except Exception:
        text = "(it cannot be printed)"
    return one_line(f"{type(error).__name__}: {text}")


def located(error: BaseException, own: Collection[Path] = ()) -> str:
    """What an error says, and where it arose: the innermost line in `own` files and folders, else outside of the suite."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return one_line(f"{type(error).__name__}: {error.msg} ({_shown(error.filename)}, line {error.lineno})")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    others = [f for f in frames if not within(Path(f.filename), SUITE)]
    mine = [f for f in others if within(Path(f.filename).resolve(), own)]
    place = next((f"{_shown(f.filename)}, line {f.lineno}" for f in reversed(mine or others or frames)), "")
    return f"{said(error)} ({place})" if place else said(error)


def within(path: Path, places: Iterable[Path]) -> bool:
    """Whether it is one of these files, or lies in one of these folders, what is installed there left out."""
    parts = [set(path.relative_to(place).parts) for place in places if path.is_relative_to(place)]
    return any(not {"site-packages", "dist-packages"} & found for found in parts)


def _shown(filename: str) -> str:
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def one_line(text: str) -> str:
    """Shortened to one line, without control characters, and such that it can be encoded."""
    return visible(" ".join(text[: 4 * _SAID].split())[:_SAID])


def suggest(word: str, known: Iterable[str]) -> str:
    """The text `; did you mean 'x'?`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def refuse_prompt(task: str, prompt: str) -> None:
    """Raise UsageError where a task without prompts is given one."""
    if prompt:
        raise UsageError(f"task {task!r} takes no --prompt, got {prompt!r}; leave it out")
