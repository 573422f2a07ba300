"""The same runs from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark import datasets
from benchmark.plan import plan
from benchmark.runner import run_one
from benchmark.store import Store
from benchmark.table import frame


def run(
    method: str,
    task: str,
    *,
    out: str | Path = "results/runs",
    quiet: bool = True,
    data_dir: str | Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Run what is not stored yet, and return all of it, one row a run. options: as `benchmark.plan.plan`.

    data_dir: the folder of data sets (default: what BENCH_DATA_DIR names).
    Raises UsageError for a request that cannot be met; a run that fails is a row with status `failed`.
    """
    with datasets.data_dir(data_dir):
        specs = plan(method, task, **options)
        store = Store(Path(out))
        store.prepare()
        for spec in specs:
            found = store.find(spec)
            if found is None or not found.done:
                run_one(spec, store, quiet=quiet)
    return frame(found for spec in specs if (found := store.find(spec)) is not None)
