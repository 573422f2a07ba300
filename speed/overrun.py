"""How well budgets are kept: 20 real runs for each task and budget.

Targets: the median overrun is at most one oracle call, and none is above the grace.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark.store.store import Store

BUDGETS = ("5s", "20s", "60s")
GRACE = 30.0
# endless searches; the sampling after a search is made small
RUNS = {
    "reward_ft": [
        "--method",
        "random",
        "--set",
        "random.trials=100000",
        "--set",
        "reward_ft.test_images=66",
        "--prompt",
        "a bold red seven on a white background",
    ],
    "noise_schedule": [
        "--method",
        "bilevel",
        "--set",
        "bilevel.iterations=100000",
        "--set",
        "noise_schedule.test_samples=40",
    ],
}


def main() -> None:
    for task, words in RUNS.items():
        for budget in BUDGETS:
            with tempfile.TemporaryDirectory() as folder:
                command = [
                    sys.executable,
                    "-m",
                    "benchmark",
                    "run",
                    "--task",
                    task,
                    "--budget",
                    budget,
                    "--seeds",
                    "0-19",
                    "--marks=",
                    # eight at a time, which makes it harder
                    "--jobs",
                    "8",
                    "--grace",
                    f"{GRACE:g}s",
                    "--quiet",
                    "--out",
                    folder,
                    *words,
                ]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                runs = [r.run for r in Store(Path(folder))]
            over = [r["overrun_seconds"] for r in runs]
            call = [r["longest_call_seconds"] for r in runs]
            middle, longest = statistics.median(over), statistics.median(call)
            right = middle <= longest and max(over) <= GRACE
            print(
                f"{task} {budget}: {len(runs)} runs, overrun median {middle:.3f} s, "
                f"most {max(over):.3f} s; one oracle call takes up to {longest:.3f} s; "
                f"{'kept' if right else 'NOT KEPT'}",
                flush=True,
            )
