"""Calls from Python: a wrong argument is an error of one line, with names as Python has them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from benchmark.errors import UsageError, suggest

P = ParamSpec("P")
T = TypeVar("T")

WORDS = {
    "executor": "engine",
    "format": "formats",
    "in-process": "engine='in_process'",
    "method": "methods",
    "no-preflight": "preflight=False",
    "plugin": "plugins",
    "prompt": "prompts",
    "set": "options",
    "settings": "options",
    "task": "tasks",
}
"""Options of the command that have another name in Python; the others only lose their dashes."""


def explained(function: Callable[P, T]) -> Callable[P, T]:
    """The function, with a UsageError for arguments that it does not take.

    Its other UsageErrors name options as Python does: `options` for `--set`.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # Python's own TypeError for a wrong call names neither the cure nor what is known
        _check(function.__name__, signature, args, kwargs)
        try:
            return function(*args, **kwargs)
        except UsageError as error:
            error.args = (in_python(str(error)),)
            raise

    return call


def in_python(text: str) -> str:
    """The text with `--options` by their names in Python, but not those of a `bench` command."""
    # a command that the text tells to type stays as it is typed
    head, bench, tail = text.partition("bench ")
    return re.sub(r"(?<![^\s(`])--([a-z][a-z-]*)", _word, head) + bench + tail


def _word(found: re.Match[str]) -> str:
    return WORDS.get(found[1], found[1].replace("-", "_"))


def _check(
    name: str, signature: inspect.Signature, args: Sequence[Any], named: Mapping[str, Any]
) -> None:
    """Raises UsageError for arguments that are unknown, too many, given twice or missing."""
    known = [p for p in signature.parameters if p != "self"]
    kinds = signature.parameters.values()
    placed = [p.name for p in kinds if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    for word in named:
        if word not in known:
            better = WORDS.get(word.replace("_", "-"), "")
            meant = better.partition("=")[0] in known
            shown = better if "=" in better else repr(better)
            near = f"; did you mean {shown}?" if meant else suggest(word, known)
            raise UsageError(
                f"{name}(): unknown argument {word!r}{near}; known: {', '.join(known)}"
            )
    if len(args) > len(placed):
        raise UsageError(
            f"{name}(): expected at most {len(placed)} arguments without a name, got {len(args)}; "
            f"write the name of each other one, such as {known[-1]}=..."
        )
    if twice := [word for word in placed[: len(args)] if word in named]:
        raise UsageError(f"{name}(): expected {twice[0]!r} once, got it twice")
    needed = [p.name for p in kinds if p.default is p.empty]
    if missing := [w for w in needed if w not in placed[: len(args)] and w not in named]:
        raise UsageError(f"{name}(): expected an argument {missing[0]!r}, got none")
