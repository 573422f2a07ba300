"""explore.html: one page, one file; a table, its curves, pictures and runs, to be explored."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.report.explorer import EXPLORE
from benchmark.report.explorer.bundle import bundle
from benchmark.report.explorer.data import data_of
from benchmark.report.paper import Layout
from benchmark.report.statistics.sheet import Statistic
from benchmark.report.statistics.shown import shown
from benchmark.report.table import Table

_TEMPLATES = Path(__file__).parents[1] / "templates"


def explore(
    table: Table,
    folder: Path,
    pictures: Sequence[str],
    layout: Layout,
    found: Sequence[Statistic],
) -> str:
    """A page that asks nothing of anybody: data, pictures and scripts are in it."""
    data = data_of(table, folder, pictures, layout, found)
    return (
        _environment()
        .get_template(EXPLORE)
        .render(
            title=table.title,
            statistics=shown(table, found),
            data=as_script(data),
            vega=bundle().replace("</script", r"<\/script"),
        )
    )


def as_script(data: Any) -> str:
    """JSON that no text in it can end; numbers that are none become null."""
    text = json.dumps(_finite(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    if isinstance(data, float):
        return float(f"{data:.7g}") if math.isfinite(data) else None
    return data


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
