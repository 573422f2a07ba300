"""SIGKILL at random moments of a running suite: nothing that was finished is lost, nothing torn is trusted.

`BENCH_FAULTS=full python -m pytest tests/faults -s` does all of it and prints the figures.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmark.store import Store, read
from benchmark.verify import verify
from tests.faults.size import KILLS
from tests.test_cli import environment
from tests.test_resume import numbers

METHODS = "bilevel,default,grid,random,bayesian"


def start(cwd, out, seeds):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", "run", "--method", METHODS, "--task", "quadratic", "--budget", "150nfe",
         "--seeds", seeds, "--out", out, "--jobs", "2", "--quiet"],
        cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except (OSError, ValueError):
            continue
    return found


def kill(process, workers_too):
    """The supervisor, as a user may kill it, or all of its processes at once, as when a machine goes down."""
    doomed = children(process.pid) if workers_too else []
    process.kill()
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def finished(root):
    return {
        p.parent: (p.read_bytes(), (p.parent / "final.json").read_bytes())
        for p in root.glob("*/*/*/run.json")
        if read(p.parent).done
    }


def test_kills_at_random_moments(tmp_path):
    rng, kills, batch, resumed, torn = random.Random(0), 0, 0, 0, 0
    root = tmp_path / "runs"
    while kills < KILLS:
        seeds = f"{2 * batch}-{2 * batch + 1}"
        process = start(tmp_path, "runs", seeds)
        time.sleep(rng.uniform(0.2, 5.0))
        if process.poll() is not None:
            _, said = process.communicate()
            assert process.returncode == 0, said
            batch += 1
            continue
        before = finished(root)
        kill(process, workers_too=rng.random() < 0.5)
        kills += 1
        after = finished(root)
        assert {k: after.get(k) for k in before} == before, "a finished run was lost or changed"
        for run in Store(root):
            assert run.run["status"] in ("running", "ok", "budget_exhausted"), run.run["error"]
            torn += run.torn
    for k in range(batch + 1):
        process = start(tmp_path, "runs", f"{2 * k}-{2 * k + 1}")
        _, said = process.communicate()
        assert process.returncode == 0, said
    runs = {r.run["run_id"]: r for r in Store(root)}
    assert len(runs) == 10 * (batch + 1)
    resumed = sum(r.run["resumed"] for r in runs.values())
    assert [problem for _, problem in verify(root) if problem] == []
    process = start(tmp_path, "whole", "0-1")
    process.communicate()
    whole = {r.run["run_id"]: r for r in Store(tmp_path / "whole")}
    assert len(whole) == 10
    for name, run in whole.items():
        assert numbers(runs[name]) == numbers(run)
    print(f"\n{kills} kills, {len(runs)} runs, {resumed} times resumed within a run, {torn} torn proposal lines seen")
    assert not list(root.rglob("*.tmp"))
