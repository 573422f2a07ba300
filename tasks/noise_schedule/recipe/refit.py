"""What a learned schedule is worth by itself: a fresh full fit at the lam of each stored run.

    python -m tasks.noise_schedule.recipe.refit RUNS.csv OUT.csv [--threads 1]

RUNS.csv is a report's. A search's own network was trained for as long as the search; here every
schedule gets the same training, on another seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch

from benchmark.fitting import fit
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask

# added to a run's seed, so that no draw of its search comes again
FRESH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = []
    runs = pd.read_csv(args.runs, keep_default_na=False)
    for (method, variant, _), run in runs.groupby(["method", "variant", "seed"], sort=False):
        seed = int(run["seed"].iloc[0])
        task = NoiseScheduleTask(NoiseSchedule(), seed + FRESH, "cpu")
        native = {a.name: float(run[f"lam.{a.name}"].iloc[0]) for a in task.space.axes}
        found = fit(task, task.space.point(native).clip(0, 1), 0)
        test = task.test(found.state, found.lam).metrics
        rows.append(
            {"method": method, "variant": variant, "seed": seed, **native, "F": found.loss, **test}
        )
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(args.out, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
