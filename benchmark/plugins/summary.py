"""One sentence about something registered, read from its source, so that a list imports nothing."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

_MOST = 110  # characters


def first_sentence(thing: Any) -> str:
    """Its `about`, or else its docstring's first sentence; "" where there is neither."""
    text = getattr(thing, "about", None)
    return _first(text if isinstance(text, str) and text else doc_of(thing))


def doc_of(thing: Any) -> str:
    """The docstring that somebody wrote for a class or a function, or ""."""
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return ""
    text = inspect.getdoc(thing) or ""
    # a dataclass without one gets its signature, such as `Mine(steps: int = 4)`
    made = (
        inspect.isclass(thing)
        and is_dataclass(thing)
        and text.startswith(f"{thing.__name__}(")
        and "\n" not in text
    )
    return "" if made else text


@cache
def summary_of(target: str) -> str:
    """The sentence of a "module:attribute"; "" where its module cannot be parsed."""
    module, _, attribute = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            return ""
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError, AttributeError):
        return ""
    kinds = (ast.ClassDef, ast.FunctionDef)
    found = [n for n in tree.body if isinstance(n, kinds) and n.name == attribute]
    return _first(ast.get_docstring(found[0]) or "") if found else ""


def _first(text: str) -> str:
    words = " ".join(text.partition("\n\n")[0].split())
    sentence = re.split(r"(?<=\.)\s", words, maxsplit=1)[0].rstrip(".")
    return shorten(sentence, _MOST, placeholder="...")
