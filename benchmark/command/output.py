"""What several commands print."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from shutil import get_terminal_size
from textwrap import fill

from benchmark.escape import visible
from benchmark.report.formats import text
from benchmark.report.notes import footnote
from benchmark.report.reading import reading
from benchmark.report.table import Table


def print_table(table: Table) -> None:
    """With its notes, for a terminal."""
    notes = visible(f"{reading(table)} {footnote(table)}")
    # a terminal would break it within words
    if sys.stdout.isatty():
        notes = fill(notes, get_terminal_size().columns, break_long_words=False)
    print(f"{text(table)}\n{notes}")


def print_checks(results: Iterable[tuple[str, str]], name: object, good: str) -> int:
    """Print (what was checked, what is wrong with it or ""); returns the exit status."""
    failed = 0
    for what, problem in results:
        line = f"FAIL {what}: {problem}" if problem else f"ok   {what}"
        print(visible(line), flush=True)
        failed += bool(problem)
    bad = f"{failed} check{'s' if failed > 1 else ''} failed"
    print(f"{name}: {bad if failed else good}")
    return 1 if failed else 0
