"""`bench verify`: stored runs, and the reports that were made of them."""

from __future__ import annotations

import argparse

from benchmark.command.output import print_checks
from benchmark.report.verify import verify


def command(args: argparse.Namespace) -> int:
    """Exit status: 1 where something is wrong. Raises UsageError."""
    return print_checks(verify(args.dir), args.dir, "verified")
