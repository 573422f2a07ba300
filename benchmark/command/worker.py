"""`bench worker`: runs of a folder's plan that nobody is at work on, on any machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmark.command.run import settings_of
from benchmark.errors import UsageError
from benchmark.runs.executor import LOCAL, carry_out, make_executor
from benchmark.runs.machine import folder_of, seconds_of
from benchmark.runs.remote import lacks
from benchmark.spec import RunSpec
from benchmark.store.hints import read_hints
from benchmark.store.lease import LEAST, Leases
from benchmark.store.planned import PLAN, read_plan
from benchmark.store.store import Store


def command(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 where a run failed or a lease was lost. Raises UsageError."""
    root = folder_of(str(args.dir))
    specs = _mine(read_plan(root), args.device or "cpu", str(root / PLAN))
    _check(specs)
    store = Store(root, Leases(_patience(args.patience)))
    settings = settings_of(args, specs, wait=args.wait)
    store.prepare()
    outcome = carry_out(LOCAL, make_executor(LOCAL, settings), specs, store)
    outcome.check()
    # one listing, not a look at each run: a thousand workers may end at once
    hints, mine = read_hints(root), {spec.run_id for spec in specs}
    done, failed = len(hints.stored & mine), len(hints.failed & mine)
    print(f"{done} of {len(specs)} runs are stored, {failed} failed", file=sys.stderr)
    return 1 if failed or outcome.lost else 0


def _patience(text: str) -> float:
    """Raises UsageError for what is too short for workers that are alive to be seen so."""
    found = seconds_of("--patience", text, "60s")
    if found < LEAST:
        raise UsageError(
            f"--patience: expected at least {LEAST:g}s, got {text}; a worker that is busy for a "
            "moment would lose its runs"
        )
    return found


def _mine(specs: Sequence[RunSpec], device: str, plan: str) -> list[RunSpec]:
    """The runs for this kind of device. Raises UsageError where there is none."""
    kind = device.partition(":")[0]
    found = [spec for spec in specs if spec.device.partition(":")[0] == kind]
    if not found:
        known = ", ".join(sorted({spec.device for spec in specs})) or "nothing"
        raise UsageError(f"--device {device}: expected a device of {plan}, which has {known}")
    return found


def _check(specs: Sequence[RunSpec]) -> None:
    """Raises UsageError where this machine has not what the runs were planned with."""
    if what := lacks(specs):
        raise UsageError(
            f"this machine's {what}; have the same version, plug-ins and files here, or plan again"
        )
