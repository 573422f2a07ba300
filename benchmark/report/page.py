"""A report as one page of HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from benchmark import escape
from benchmark.report.cells import body, heads
from benchmark.report.reading import reading
from benchmark.report.table import Table

_TEMPLATES = Path(__file__).parent / "templates"


def page(table: Table, footnote: str, pictures: Sequence[str], folder: Path) -> str:
    """A page in one file. footnote: `notes`.  pictures: files of the folder, which it holds."""
    texts = {"title": table.title, "reading": reading(table), "footnote": footnote}
    shown = {Path(name).stem.replace("_", " "): embedded(folder / name) for name in pictures}
    template = _environment().get_template("report.html")
    return f"{template.render(_cells(table), **texts, pictures=shown)}\n"


def embedded(path: Path) -> str:
    """A picture as a text of a page; its name where it cannot be read."""
    try:
        return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return path.name


def html_table(table: Table) -> str:
    """The table alone, as for a notebook."""
    return _environment().get_template("table.html").render(_cells(table))


def _cells(table: Table) -> dict[str, Any]:
    rows = body(table, escape.html, ("<b>", "</b>"), ("<i>", "</i>"))
    # `body` escaped them before it added the tags, which must not be escaped
    return {"heads": heads(table), "lines": [list(map(Markup, line)) for line in rows]}


@cache
def _environment() -> Environment:
    loader = FunctionLoader(_source)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_escaped)


def _source(name: str) -> str:
    """A template without the white space between its lines."""
    # so have pages been from the first version on, and `bench verify` compares whole files
    lines = (_TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines)


def _escaped(value: Any) -> Any:
    """As `escape.html` has it, which makes control characters visible too."""
    return value if isinstance(value, Markup) else Markup(escape.html(str(value)))
