"""`bench apply`: what a run found, as code for the library that it is used with."""

from __future__ import annotations

import argparse
import json

from benchmark.errors import UsageError
from benchmark.runs.surroundings import print_code
from benchmark.runs.use import use_of
from benchmark.store.store import Store, read


def command(args: argparse.Namespace) -> int:
    """Raises UsageError."""
    alone = (args.dir / "run.json").is_file()
    runs = [read(args.dir)] if alone else list(Store(args.dir))
    if len(runs) != 1:
        raise UsageError(
            f"{args.dir}: expected one run (TASK/METHOD/RUN), found {len(runs)}; name its folder"
        )
    found = use_of(runs[0])
    print_code(f"{json.dumps(dict(found.values), indent=2) if args.json else found.code}\n")
    return 0
