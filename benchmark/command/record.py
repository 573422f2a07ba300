"""`bench record`: stored trials of a task as a table that the task `replay` answers from."""

from __future__ import annotations

import argparse

from benchmark.errors import UsageError
from benchmark.escape import visible
from benchmark.export.recording import write_recording
from benchmark.store.store import Store


def command(args: argparse.Namespace) -> int:
    """Raises UsageError and StorageError."""
    runs = [run for run in Store(args.dir) if run.done]
    if not runs:
        raise UsageError(
            f"{args.dir}: expected finished runs (TASK/METHOD/RUN/run.json), found none; make some "
            "with bench run"
        )
    count = write_recording(runs, args.to, args.replace)
    print(f"{count} evaluations of {len(runs)} runs written to {visible(str(args.to))}")
    return 0
