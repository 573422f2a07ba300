"""`bench refit`: what each answer of stored runs is worth by itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.command.answers import answered, shown
from benchmark.escape import visible
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.refit import Job, jobs, refit


def command(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 where a training failed. Raises UsageError and StorageError."""
    workers = ExecutorSettings(jobs=args.jobs).jobs
    todo, changed = jobs(answered(args.dir), args.dir, args.marks)
    trainings = sum(job.left for job in todo)
    if args.dry_run or not todo:
        for line in changed:
            print(f"bench: {visible(line)}", file=sys.stderr)
        print(f"{trainings} trainings are missing, of {len(todo)} lam")
        return 1 if changed else 0
    failed = refit_shown(todo, changed, args.dir, workers, args.plugin)
    print(f"{trainings} trainings of {len(todo)} lam; bench report {args.dir} shows what they gave")
    return 1 if failed else 0


def refit_shown(
    todo: Sequence[Job], changed: Sequence[str], root: Path, workers: int, plugins: Sequence[Path]
) -> bool:
    """Do these trainings with a bar; returns whether some are not there after it.

    changed: a line for each run that can have none. Raises as `refit`.
    """
    with shown("trainings", sum(job.left for job in todo)) as show:
        failed = refit(todo, root, workers=workers, plugins=plugins, show=show)
    for line in (*changed, *failed):
        print(f"bench: {visible(line)}", file=sys.stderr)
    return bool(changed or failed)
