"""`bench report` over 1,000 stored runs. Target: under 5 s, as a whole process."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark.plan import plan
from benchmark.runner import run_one
from benchmark.store import Store
from benchmarks.timing import seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = Store(root / "made")
        methods = ("bilevel", "default", "grid", "random")
        for method in methods:
            (spec,) = plan(method, "quadratic", budget="600nfe")
            run_one(spec, store, quiet=True)
            made = store.folder(spec)
            for seed in range(250):
                copy = root / "runs" / "quadratic" / method / f"{seed:016x}"
                shutil.copytree(made, copy)
                record = json.loads((copy / "run.json").read_text())
                record["spec"]["seed"], record["run_id"] = seed, copy.name
                (copy / "run.json").write_text(json.dumps(record))
        command = [sys.executable, "-m", "benchmark", "report", str(root / "runs")]
        times = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(4)][1:]
        print(f"bench report on 1000 runs: {min(times):.2f} to {max(times):.2f} s of 3")
