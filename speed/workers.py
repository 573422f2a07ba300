"""Workers that are killed at random while they share a suite: is anything lost, or done otherwise?

`BENCH_RUNS=200 BENCH_KILLS=50`: the defaults. First `bench worker`, then Dask's workers, two at a
time; each that ends or is killed is started again until all is stored. Then the runs are compared
with those of one serial `bench run`. It is counted how many searches ended more than once: a worker
may be killed between the end of a search and the moment at which its run is stored, which on a
cluster is when the driver has it. Ends with status 1 where one is lost, failed, or another.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmark.plugins.load import load_plugin
from benchmark.spec import RunSpec
from benchmark.store.planned import read_plan
from benchmark.store.store import Store

RUNS = int(os.environ.get("BENCH_RUNS", "200"))
KILLS = int(os.environ.get("BENCH_KILLS", "50"))
PATIENCE = "2s"
METHODS = ("told_random", "told_tpe")
WORDS = ["--method", ",".join(METHODS), "--task", "quadratic", "--budget", "5000nfe"]
WORDS += ["--seeds", f"0-{RUNS // 2 - 1}"]
WORDS += [word for name in METHODS for word in ("--set", f"{name}.trials=225")]
# what a search is told at its end, and not when it is killed
PLUGIN = """
import os
from dataclasses import dataclass
from benchmark import register_method
from benchmark.registry import METHODS

def told(name):
    @register_method(f"told_{name}")
    @dataclass(frozen=True)
    class Told(METHODS.get(name)):
        def __call__(self, problem, rng):
            try:
                yield from super().__call__(problem, rng)
            finally:
                with open(os.environ["ENDS"], "a") as file:
                    file.write("x")

told("random")
told("tpe")
"""
SAME = ("seed", "status", "nfe", "trials", "no_incumbent")
Process = subprocess.Popen[str]


def python(*words: str, stderr: int = subprocess.DEVNULL) -> Process:
    command = [sys.executable, "-m", *words]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=stderr, text=True, start_new_session=True
    )


def bench(*words: str) -> Process:
    return python("benchmark", *words)


def plugin() -> tuple[str, str]:
    """Beside the file that is told of ends."""
    return "--plugin", str(Path(os.environ["ENDS"]).with_name("told.py"))


def kill(specs: list[RunSpec], store: Store, start: Callable[[], Process]) -> tuple[int, int]:
    """Until all runs are stored; returns how many workers were started, and killed at work."""
    rng, killed, started = random.Random(0), 0, 0
    workers: list[Process] = []
    while left := len(store.missing(specs)):
        workers = [w for w in workers if w.poll() is None]
        while len(workers) < 2:
            workers.append(start())
            started += 1
        time.sleep(rng.uniform(0.3, 3.5))
        chosen = rng.choice(workers)
        if killed < KILLS and left > 1 and chosen.poll() is None:
            chosen.kill()
            killed += 1
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(5)
        worker.kill()
    return started, killed


def by_lease(root: Path, specs: list[RunSpec]) -> tuple[int, int]:
    return kill(
        specs,
        Store(root),
        lambda: bench("worker", str(root), "--quiet", "--patience", PATIENCE, *plugin()),
    )


def by_dask(root: Path, specs: list[RunSpec]) -> tuple[int, int]:
    own = ("--host", "127.0.0.1", "--no-dashboard")
    scheduler = python(
        "distributed.cli.dask_scheduler", "--port", "0", *own, stderr=subprocess.PIPE
    )
    assert scheduler.stderr is not None
    lines = iter(scheduler.stderr.readline, "")
    address = next(m[1] for line in lines if (m := re.search(r"Scheduler at:\s+(tcp\S+)", line)))

    def work() -> Process:
        words = (address, "--nthreads", "1", "--no-nanny")
        return python("distributed.cli.dask_worker", *words, *own)

    first = work()
    # a driver needs one worker to begin with
    time.sleep(5)
    words = (*WORDS, *plugin(), "--out", str(root), "--quiet", "--engine", "dask")
    words += ("--address", address)
    driver = bench("run", *words)
    found = kill(specs, Store(root), work)
    status = driver.wait(60)
    for process in (first, scheduler):
        process.kill()
    print(f"the driver ended with {status}")
    return found


def unlike(specs: list[RunSpec], store: Store, serial: Store) -> int:
    """How many runs are not what a serial run made of them; all of them are stored."""
    differ = 0
    for spec in specs:
        run, alone = store.find(spec), serial.find(spec)
        assert run is not None
        assert alone is not None
        same = all(run.run.get(k) == alone.run.get(k) for k in SAME)
        same &= run.tests[-1]["metrics"] == alone.tests[-1]["metrics"]
        same &= [p["lam"] for p in run.proposals] == [p["lam"] for p in alone.proposals]
        differ += not same
    return differ


def main() -> None:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        serial = Path(folder) / "serial"
        ends = Path(folder) / "ends"
        os.environ["ENDS"] = str(ends)
        (Path(folder) / "told.py").write_text(PLUGIN)
        load_plugin(Path(folder) / "told.py")
        bench("run", *WORDS, *plugin(), "--out", str(serial), "--quiet").wait()
        assert ends.read_text() == "x" * RUNS
        for name, way in (("bench worker", by_lease), ("Dask", by_dask)):
            root = Path(folder) / name
            ends.write_text("")
            assert (
                bench("run", *WORDS, *plugin(), "--out", str(root), "--emit", "slurm").wait() == 0
            )
            specs, store, begun = read_plan(root), Store(root), time.monotonic()
            started, killed = way(root, specs)
            took = time.monotonic() - begun
            runs = [run for spec in specs if (run := store.find(spec)) is not None]
            failed = sum(run.run["status"] == "failed" for run in runs)
            resumed = sum(run.run["resumed"] > 0 for run in runs)
            differ = unlike(specs, store, Store(serial))
            verified = bench("verify", str(root), *plugin()).wait()
            twice = len(ends.read_text()) - len(specs)
            print(
                f"{name}: {len(specs)} runs, {started} workers started, {killed} killed at work, "
                f"{took:.0f} s: {len(runs)} stored, {failed} failed, {resumed} resumed, {twice} "
                f"searches ended again, {differ} unlike those of a serial run; bench verify ended "
                f"with {verified}",
                flush=True,
            )
            wrong += failed + differ + verified + len(specs) - len(runs)
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()
