"""`bench measure`: other metrics of stored answers."""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from benchmark.errors import UsageError
from benchmark.escape import visible
from benchmark.metrics.measure import check_names, later, measure, wanted
from benchmark.store.store import Store


def command(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 where some could not be measured. Raises UsageError and StorageError."""
    names = check_names(filter(None, map(str.strip, args.metrics.split(",")))) or tuple(later())
    runs = [run for run in Store(args.dir) if run.done and run.tests]
    if not runs:
        raise UsageError(
            f"{args.dir}: expected finished runs with an answer (TASK/METHOD/RUN/run.json), found "
            "none; make some with bench run"
        )
    todo = wanted(runs, names)
    if args.dry_run:
        print(f"{len(todo)} of {len(runs)} runs lack {', '.join(names)}")
        return 0
    # shown on a terminal alone
    bar = tqdm(total=len(todo), desc="answers", disable=None, leave=False)

    def show(done: int, of: int) -> None:
        bar.update(done - bar.n)

    with bar:
        done, lacking = measure(todo, show)
    for line in lacking:
        print(f"bench: {visible(line)}", file=sys.stderr)
    print(f"{done} of {len(runs)} answers were measured; `bench report {args.dir}` shows it")
    return 1 if lacking else 0
