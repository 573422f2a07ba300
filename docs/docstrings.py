"""For the site: `name: what it is` lines of a docstring as a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

# after two spaces, where a line has several
_NAMED = re.compile(r"(?<=\S)  (?=[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*: )")
_ITEM = re.compile(r"([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*): ")


class Parameters(griffe.Extension):
    """Makes a list of the lines that name parameters, after the first paragraph."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            first, *rest = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join([first, *map(listed, rest)])


def listed(paragraph: str) -> str:
    """A paragraph whose first line names a parameter, as a list; others as they are."""
    lines = [part for line in paragraph.splitlines() for part in _NAMED.split(line)]
    if not lines or not _ITEM.match(lines[0]):
        return paragraph
    return "\n".join(
        _ITEM.sub(r"- **\1**: ", line, count=1) if _ITEM.match(line) else f"    {line.strip()}"
        for line in lines
    )
