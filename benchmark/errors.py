"""Errors that a user can cause. Each message says what was expected, what came, and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from benchmark.escape import visible


class UsageError(Exception):
    """Wrong usage, in one line: what was expected, what came, and what to do.

    The command exits with status 2.
    """


class Refused(UsageError):
    """A task cannot take its files, as seen when a run is set up. No fault of a method.

    So nothing is stored: a failed run would stand in the way of the right file, whose run has the
    same name where only the place was wrong.
    """


class StorageError(BaseException):
    """The output cannot be written: a full disk, a folder that was closed or taken away.

    No Exception, so that a method's `except Exception` around an evaluation does not swallow it.
    """


# characters of a stored error
_MOST = 10_000
# characters of a wrong value in a message
_GIVEN = 80
_ROOT = Path(__file__).parent.parent
SUITE = tuple(_ROOT / name for name in ("benchmark", "methods", "tasks"))


def format_error(error: BaseException) -> str:
    """Type and text of an error, in one line that can be stored."""
    try:
        text = str(error)
    # a plug-in's error may fail to print itself
    except Exception:
        text = "(it cannot be printed)"
    return one_line(f"{type(error).__name__}: {text}")


def located(
    error: BaseException, own: Collection[Path] = (), instead: Sequence[Path] | None = None
) -> str:
    """An error and its place: the innermost line in `own` files, else outside of the suite.

    instead: the first is the place where no line is outside, as of a call with wrong arguments.
    """
    # a SyntaxError has no frame in the file that it is about
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return one_line(
            f"{type(error).__name__}: {error.msg} ({_shown(error.filename)}, line {error.lineno})"
        )
    calls = traceback.extract_tb(error.__traceback__)
    # such as <frozen importlib._bootstrap>
    frames = [f for f in calls if not f.filename.startswith("<")]
    others = [f for f in frames if not within(Path(f.filename), SUITE)]
    mine = [f for f in others if within(Path(f.filename).resolve(), own)]
    if instead is not None and not others:
        return format_error(error) + "".join(f" ({_shown(str(path))})" for path in instead[:1])
    for frame in reversed(mine or others or frames):
        return f"{format_error(error)} ({_shown(frame.filename)}, line {frame.lineno})"
    return format_error(error)


def within(path: Path, places: Iterable[Path]) -> bool:
    """Whether a path is one of these files, or in one of these folders and not installed there."""
    # a virtual environment often lies in the folder of the user's own code
    parts = [set(path.relative_to(place).parts) for place in places if path.is_relative_to(place)]
    return any(not {"site-packages", "dist-packages"} & found for found in parts)


def _shown(filename: str) -> str:
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def one_line(text: str) -> str:
    """Shortened to one line, without control characters, and such that it can be encoded."""
    # cut first, since an error's text may be huge
    return visible(" ".join(text[: 4 * _MOST].split())[:_MOST])


def shown(value: object) -> str:
    """What was given, for the `got` of a message: in one line of at most 80 characters."""
    try:
        text = one_line(repr(value))
    # a user's class may fail to print itself
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _GIVEN else f"{text[: _GIVEN - 3]}..."


def suggest(word: str, known: Iterable[str]) -> str:
    """The text `; did you mean 'x'?`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def refuse_prompt(task: str, prompt: str) -> None:
    """Raise UsageError where a task without prompts is given one."""
    if prompt:
        raise UsageError(f"task {task!r} takes no --prompt, got {prompt!r}; leave it out")
