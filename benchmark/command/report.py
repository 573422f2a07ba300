"""`bench report`: tables and plots from what is stored."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.report.explorer import EXPLORE
from benchmark.report.formats import text_table
from benchmark.report.paper import Layout
from benchmark.report.report import report_folder
from benchmark.runs.machine import folder_of


def command(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    written = report_folder(
        args.dir,
        None if args.out is None else folder_of(args.out),
        formats=_words(args.format),
        at=Budget.parse(args.at) if args.at else None,
        metric=args.metric,
        target=args.target,
        across=args.across,
        failures=args.failures,
        layout=Layout(_words(args.columns), args.sort),
    )
    for table, folder in written:
        text_table(table).print()
        print(f"\nwritten to {folder}\n")
    if args.open:
        _open([folder / EXPLORE for _, folder in written])
    return 0


def _words(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def _open(pages: list[Path]) -> None:
    """Raises UsageError where there is no page to show, or nothing to show it with."""
    import webbrowser

    page = next((p for p in pages if p.is_file()), None)
    if page is None:
        raise UsageError("--open: expected the format page beside it, got no explore.html")
    if not webbrowser.open(page.resolve().as_uri()):
        raise UsageError(f"--open: expected a web browser, found none; open {page} yourself")
