"""`bench report`: tables and plots from what is stored."""

from __future__ import annotations

import argparse

from benchmark.budget import Budget
from benchmark.command.output import print_table
from benchmark.report.report import report_folder
from benchmark.runs.machine import folder_of


def command(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    written = report_folder(
        args.dir,
        None if args.out is None else folder_of(args.out),
        formats=[f.strip() for f in args.format.split(",") if f.strip()],
        at=Budget.parse(args.at) if args.at else None,
        metric=args.metric,
        across=args.across,
        failures=args.failures,
    )
    for table, folder in written:
        print_table(table)
        print(f"\nwritten to {folder}\n")
    return 0
