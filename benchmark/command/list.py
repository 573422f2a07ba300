"""`bench list`: every registered name, or everything about one."""

from __future__ import annotations

import argparse
import sys

from benchmark.command.listing import about, every_name, warnings
from benchmark.escape import visible


def command(args: argparse.Namespace) -> int:
    """Raises UsageError for an unknown name."""
    for line in every_name() if args.name is None else about(args.name):
        print(visible(line))
    for line in warnings() if args.name is None else ():
        print(visible(f"warning: {line}"), file=sys.stderr)
    return 0
