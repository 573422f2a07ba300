"""`bench measure`: other metrics of stored answers."""

from __future__ import annotations

import argparse
import sys

from benchmark.command.answers import answered, shown
from benchmark.command.parse import parse_names
from benchmark.escape import visible
from benchmark.metrics.measure import at_hand, check_names, measure, wanted


def command(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 where some could not be measured. Raises UsageError and StorageError."""
    names = check_names(parse_names(args.metrics)) or at_hand()
    runs = answered(args.dir)
    todo = wanted(runs, names)
    if args.dry_run:
        print(f"{len(todo)} of {len(runs)} runs lack {', '.join(names)}")
        return 0
    with shown("answers", len(todo)) as show:
        done, lacking = measure(todo, show)
    for line in lacking:
        print(f"bench: {visible(line)}", file=sys.stderr)
    print(f"{done} of {len(runs)} answers were measured; `bench report {args.dir}` shows it")
    return 1 if lacking else 0
