"""Workers that are killed at random while they share a plan: is anything lost, or done twice?

`BENCH_RUNS=200 BENCH_KILLS=50`: the defaults. Two workers at a time; each that ends or is killed is
started again until all is stored. Then the runs are compared with those of one serial `bench run`.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmark.store.planned import read_plan
from benchmark.store.store import Store

RUNS = int(os.environ.get("BENCH_RUNS", "200"))
KILLS = int(os.environ.get("BENCH_KILLS", "50"))
PATIENCE = "2s"
WORDS = ["--method", "random,tpe", "--task", "quadratic", "--budget", "2000nfe"]
WORDS += ["--seeds", f"0-{RUNS // 2 - 1}", "--set", "random.trials=90", "--set", "tpe.trials=90"]
SAME = ("seed", "status", "nfe", "trials", "no_incumbent")


def bench(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmark", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def main() -> None:
    rng, killed, started = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        assert bench("run", *WORDS, "--out", str(root), "--emit", "slurm").wait() == 0
        specs, store = read_plan(root), Store(root)
        begun = time.monotonic()
        workers: list[subprocess.Popen[str]] = []
        while left := sum((r := store.find(s)) is None or r.open for s in specs):
            workers = [w for w in workers if w.poll() is None]
            while len(workers) < 2:
                workers.append(bench("worker", str(root), "--quiet", "--patience", PATIENCE))
                started += 1
            time.sleep(rng.uniform(0.3, 3.5))
            if killed < KILLS and left > 1:
                workers[rng.randrange(2)].kill()
                killed += 1
        for worker in workers:
            worker.communicate()
        took = time.monotonic() - begun
        found = [store.find(spec) for spec in specs]
        resumed = sum(r is not None and r.run["resumed"] > 0 for r in found)
        serial = Path(folder) / "serial"
        bench("run", *WORDS, "--out", str(serial), "--quiet").communicate()
        other = Store(serial)
        differ = 0
        for spec, run in zip(specs, found, strict=True):
            alone = other.find(spec)
            assert run is not None
            assert alone is not None
            same = all(run.run.get(k) == alone.run.get(k) for k in SAME)
            same &= run.tests[-1]["metrics"] == alone.tests[-1]["metrics"]
            same &= [p["lam"] for p in run.proposals] == [p["lam"] for p in alone.proposals]
            differ += not same
        verified = bench("verify", str(root)).wait()
        failed = sum(r is not None and r.run["status"] == "failed" for r in found)
        print(
            f"{len(specs)} runs, {started} workers started, {killed} killed, {took:.0f} s: "
            f"{len(specs) - sum(r is None for r in found)} stored, {failed} failed, {resumed} "
            f"resumed, {differ} unlike those of a serial run; bench verify ended with {verified}"
        )


if __name__ == "__main__":
    main()
