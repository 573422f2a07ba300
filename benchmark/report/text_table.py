"""A table as a terminal shows it: of cells that are made, so that nothing heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from shutil import get_terminal_size
from textwrap import fill
from typing import Any

# characters of a line at most: a wider one is hard to follow on any screen
_WIDTH = 130
_GAP = 2


@dataclass(frozen=True)
class TextTable:
    """title, notes: escaped for a terminal.  lines: the headings, then the rows, as cells.

    metrics: how many columns after the first are metrics; others are costs.  references: how many
    of the last lines are lines of reference, which no method made.
    """

    title: str
    lines: list[list[str]]
    metrics: int
    notes: str = ""
    references: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """`*` marks the best mean, `=` a tie with it.

        What is wider than the terminal goes into blocks, metrics first, each with the rows' names.
        """
        lines = self.lines
        wide = min(_WIDTH, get_terminal_size((_WIDTH, 24)).columns)
        split, end = 1 + self.metrics, len(lines[0])
        blocks = [range(1, end)]
        if _width(lines, blocks[0]) > wide:
            blocks = [
                *_blocks(lines, range(1, split), wide),
                *_blocks(lines, range(split, end), wide),
            ]
        shown = ([[x[0], *(x[k] for k in block)] for x in lines] for block in blocks)
        # a line of reference has no costs, and nothing to say among them
        first = len(lines) - self.references
        parts = [
            _aligned([x for k, x in enumerate(part) if k < first or set(x[1:]) != {"-"}])
            for part in shown
        ]
        return "\n".join([self.title, "\n\n".join(map("\n".join, parts))])

    def print(self) -> None:
        """With its notes."""
        notes = self.notes
        # a terminal would break it within words
        if sys.stdout.isatty():
            notes = fill(notes, get_terminal_size().columns, break_long_words=False)
        print(f"{self.text()}\n{notes}")


def _width(lines: Sequence[Sequence[str]], columns: Sequence[int]) -> int:
    """Characters of the first column and some others beside each other."""
    return sum(max(len(x[k]) for x in lines) + _GAP for k in (0, *columns)) - _GAP


def _blocks(lines: Sequence[Sequence[str]], columns: range, wide: int) -> list[range]:
    """The columns in as few blocks of this width as hold them in their order."""
    found: list[range] = []
    for k in columns:
        longer = range(found[-1].start, k + 1) if found else range(k, k + 1)
        if found and _width(lines, longer) <= wide:
            found[-1] = longer
        else:
            found.append(range(k, k + 1))
    return found


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, the first to the left, with a rule under the first line."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *rest = [
        (" " * _GAP).join(
            [x[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(x[1:], widths[1:], strict=True))]
        )
        for x in lines
    ]
    return [head, "-" * len(head), *rest]
