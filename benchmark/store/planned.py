"""A plan that workers take runs from: the specifications of a suite, beside its runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.errors import StorageError, UsageError
from benchmark.spec import SCHEMA, RunSpec, read_spec
from benchmark.store.bounded import read_bounded
from benchmark.store.files import storing, write_atomic
from benchmark.store.lease import PATIENCE, Leases
from benchmark.store.schema import SPEC, check

PLAN = "plan.json"
# a million runs are no plan
_LIMIT = 2**30
# seconds between two looks at whether another is planning
_REST = 0.05


def write_plan(root: Path, specs: Sequence[RunSpec]) -> int:
    """Add runs to the plan of a folder; returns how many it has.

    Two at once, on any machines, add one after the other. Raises UsageError for a plan that cannot
    be read, and StorageError.
    """
    with _alone(root) as leases:
        before = read_plan(root) if (root / PLAN).exists() else []
        every = {spec.run_id: spec for spec in (*before, *specs)}
        found = {"schema": SCHEMA, "specs": [spec.as_json() for spec in every.values()]}
        text = json.dumps(found, indent=1) + "\n"
        with storing(root / PLAN):
            # one that stood still meanwhile would undo what another has added
            if not leases.holds(root):
                raise StorageError(f"cannot write {root / PLAN}: another has planned; plan again")
            write_atomic(root / PLAN, text)
    return len(every)


@contextmanager
def _alone(root: Path) -> Iterator[Leases]:
    """Hold the folder's own lease, as workers do those of runs. Raises StorageError."""
    leases = Leases(PATIENCE)
    with storing(root):
        while not leases.take(root):
            time.sleep(_REST)
    try:
        yield leases
    finally:
        leases.release(root)


def read_plan(root: Path) -> list[RunSpec]:
    """Raises UsageError where there is none, or none that can be read."""
    path = root / PLAN
    try:
        found = json.loads(read_bounded(path, _LIMIT))
        if not isinstance(found, dict) or not isinstance(found.get("specs"), list):
            raise ValueError("it holds no specifications")
        return [read_spec(check(SPEC, spec)) for spec in found["specs"]]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path}: expected a plan of runs; {error}; write one with bench run ... --emit slurm"
        ) from error
