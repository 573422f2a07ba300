"""Text from elsewhere (names, options, prompts, notes, errors): one escape for each output."""

from __future__ import annotations

import html as _html
import re

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# a spreadsheet computes a cell that begins so; quotes before it count, so that `from_csv` takes
# away only the one that `csv` put there
_FORMULA = re.compile("'*[=+@\\-]")
_MARKDOWN = re.compile(r"[&<>|*`~$\\]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\])\(")
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
} | {c: f"\\{c}" for c in "_%&#${}"}


def visible(text: str) -> str:
    """One line that can be encoded: control characters and the like as Python writes them.

    For a terminal: nothing moves its cursor, colours, begins a line or turns the direction.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def markdown(text: str) -> str:
    """For a cell or within a paragraph."""
    # entities, for readers differ in what a backslash does before a |
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def html(text: str) -> str:
    return _html.escape(visible(text))


def latex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in visible(text))


def latex_row(cells: list[str]) -> str:
    """Escaped cells as a row of a tabular."""
    first = cells[0]
    # after the \\ of the line before, [ or * would be its argument
    if first[:1] in ("[", "*"):
        first = f"{{{first[0]}}}{first[1:]}"
    return " & ".join([first, *cells[1:]]) + r" \\"


def csv(text: str) -> str:
    """For a cell: no spreadsheet takes it for a formula; `from_csv` is the inverse."""
    # the user's own backslashes are doubled, so that the inverse can tell them apart
    cell = visible(text.replace("\\", "\\\\"))
    return f"'{cell}" if _FORMULA.match(cell) else cell


def from_csv(cell: str) -> str:
    text = cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
    return _ESCAPE.sub(lambda found: "\\" if found[0] == "\\\\" else _seen(found[0]), text)


_ESCAPE = re.compile(r"\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[ntr]")


def _seen(code: str) -> str:
    return {"\\n": "\n", "\\t": "\t", "\\r": "\r"}.get(code) or chr(int(code[2:], 16))
