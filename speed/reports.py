"""`bench report`, and `bench run` where all is stored, on 1,000 runs and more.

Whole processes. Target: seconds grow no faster than runs. `BENCH_RUNS=1000,3000`: other numbers.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark.command.parse import plan_from_text as plan
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from speed.timing import seconds

METHODS = "bilevel,default,grid,random"
RUNS = tuple(map(int, os.environ.get("BENCH_RUNS", "1000,3000,10000").split(",")))


def fill(root: Path, seeds: int) -> list[str]:
    """Store the runs of so many seeds; returns the arguments of `bench run` for them."""
    words = [
        "--method",
        METHODS,
        "--task",
        "quadratic",
        "--budget",
        "600nfe",
        "--seeds",
        f"0-{seeds - 1}",
    ]
    store, made = Store(root), {}
    for spec in plan(METHODS, "quadratic", budget="600nfe", seeds=f"0-{seeds - 1}"):
        folder = store.folder(spec)
        # copies of the first seed's: 10,000 real runs would take hours
        if spec.method not in made:
            run_one(spec, store, quiet=True)
            made[spec.method] = folder
            continue
        shutil.copytree(made[spec.method], folder)
        record = json.loads((folder / "run.json").read_text())
        record |= {"spec": spec.as_json(), "run_id": spec.run_id}
        (folder / "run.json").write_text(json.dumps(record))
    return words


def main() -> None:
    before: dict[str, tuple[int, float]] = {}
    for runs in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "runs"
            words = fill(root, runs // 4)
            commands = {"report": ["report", str(root)], "run": ["run", *words, "--out", str(root)]}
            for name, command in commands.items():
                took = seconds(
                    lambda command=command: subprocess.run(
                        [sys.executable, "-m", "benchmark", *command],
                        check=True,
                        capture_output=True,
                    )
                )
                was, earlier = before.get(name, (runs, took))
                before[name] = (runs, took)
                growth = (
                    f", {took / earlier:.2f} times as long for {runs / was:.2f} times as many"
                    if was < runs
                    else ""
                )
                print(f"bench {name} on {runs} stored runs: {took:.1f} s{growth}", flush=True)
