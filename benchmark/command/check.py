"""`bench check`: the conformance suite."""

from __future__ import annotations

import argparse

from benchmark.check import Still, check_method, check_task
from benchmark.command.output import print_checks
from benchmark.registry import METHODS, TASKS


def command(args: argparse.Namespace) -> int:
    """Exit status: 1 where a check failed. Raises UsageError for an unknown name."""
    check = check_task if args.name in TASKS else check_method
    if check is check_method:
        METHODS.get(args.name)
    with Still() as begun:
        return print_checks(check(args.name, begun), args.name, "conforms")
