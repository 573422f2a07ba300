"""`bench export`: the trials of stored runs, for other tools; whole runs, for trackers."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from benchmark.errors import UsageError
from benchmark.escape import visible
from benchmark.export.export import export
from benchmark.export.tracking import TRACKERS, track
from benchmark.store.store import Store, Stored


def command(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    tool, *targets = args.to
    if tool in TRACKERS and len(targets) < 2:
        return _track(args.dir, tool, "".join(targets))
    if len(targets) > 1:
        raise UsageError(
            f"--to {tool}: expected one file, got {len(targets)}: {', '.join(targets)}; the folder "
            "of runs stands before --to"
        )
    if not targets and tool == "optuna":
        raise UsageError("--to optuna: expected sqlite:///FILE.db or FILE.log after it, got none")
    target = targets[0] if targets else f"trials.{tool}"
    runs = _finished(args.dir)
    # shown on a terminal alone
    bar = tqdm(total=len(runs), desc="studies", disable=None, leave=False)

    def show(done: int) -> None:
        bar.update(done - bar.n)

    with bar:
        done = export(runs, tool, target, args.replace, show)
    _say_without(done.without, args.dir)
    print(f"{done.trials} trials of {done.runs} runs written to {visible(done.path)}")
    return 0


def _finished(folder: Path) -> list[Stored]:
    """Raises UsageError where there is none."""
    # one that is at work now has half of its trials
    runs = [run for run in Store(folder) if not run.open]
    if not runs:
        raise UsageError(
            f"{folder}: expected finished runs (TASK/METHOD/RUN/run.json), found none; make some "
            "with bench run"
        )
    return runs


def _track(folder: Path, tool: str, place: str) -> int:
    runs = _finished(folder)
    count = track(runs, tool, place)
    rest = "; the others were there" if count < len(runs) else ""
    print(f"{count} of {len(runs)} runs written to {tool}{rest}")
    return 0


def _say_without(runs: Iterable[Stored], folder: Path) -> None:
    """A line for each method, for a gradient method has none in any run."""
    found = Counter(run.folder.relative_to(folder).parent.as_posix() for run in runs)
    for name, count in found.items():
        print(f"bench: without trials: {count} of {visible(name)}", file=sys.stderr)
