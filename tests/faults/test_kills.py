"""SIGKILL at random moments of a running suite: nothing that was finished is lost, nothing torn is
trusted.

`BENCH_FAULTS=full python -m pytest tests/faults -s` does all of it and prints the figures.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmark.report.verify import verify
from benchmark.store.store import Store, read
from tests.faults.size import KILLS
from tests.faults.test_methods import BAD
from tests.test_cli import environment
from tests.test_resume import numbers

METHODS = ("bilevel", "grid", "random", "slow")  # the last takes about a second


def start(cwd, out, seeds):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmark",
            "run",
            "--plugin",
            str(BAD),
            "--method",
            ",".join(METHODS),
            "--task",
            "quadratic",
            "--budget",
            "400nfe",
            "--seeds",
            seeds,
            "--out",
            out,
            "--jobs",
            "2",
            "--quiet",
        ],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


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
    """The supervisor, as a user may kill it, or all of its processes at once, as when a machine
    goes down.
    """
    doomed = children(process.pid) if workers_too else []
    process.kill()
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def wait_for_work(root, since, most=60.0):
    """Until a run of this start has written something."""
    end = time.monotonic() + most
    while time.monotonic() < end:
        for path in root.glob("*/*/*/calls.jsonl"):
            try:
                if path.stat().st_mtime > since and path.stat().st_size:
                    return
            except OSError:
                continue
        time.sleep(0.02)
    raise AssertionError("no run began")


def finished(root):
    return {
        p.parent: (p.read_bytes(), (p.parent / "final.json").read_bytes())
        for p in root.glob("*/*/*/run.json")
        if read(p.parent).done
    }


def killed_often(folder, kills, rng):
    """(runs, times resumed, torn lines seen) of a suite that was killed so often and then
    finished.
    """
    root, torn = folder / "runs", 0
    for _ in range(kills):
        first = len(finished(root)) // len(METHODS)
        began = time.time()
        process = start(folder, "runs", f"{first}-{first + 4}")
        wait_for_work(root, began)
        time.sleep(rng.uniform(0.0, 1.5))
        assert process.poll() is None, process.communicate()
        before = finished(root)
        kill(process, workers_too=rng.random() < 0.5)
        after = finished(root)
        assert {k: after.get(k) for k in before} == before, "a finished run was lost or changed"
        for run in Store(root):
            assert run.run["status"] in ("running", "ok", "budget_exhausted"), run.run["error"]
            torn += run.torn
    last = len(finished(root)) // len(METHODS) + 4
    process = start(folder, "runs", f"0-{last}")
    _, said = process.communicate()
    assert process.returncode == 0, said
    runs = {r.run["run_id"]: r for r in Store(root)}
    assert len(runs) == len(METHODS) * (last + 1)
    assert [problem for _, problem in verify(root) if problem] == []
    return runs, sum(r.run["resumed"] for r in runs.values()), torn


def test_kills_at_random_moments(tmp_path):
    """There are always runs left to do, so that a kill finds the suite at work; a new folder after
    every 20 kills.
    """
    rng, folders, resumed, torn, count = random.Random(0), max(1, KILLS // 20), 0, 0, 0
    start(tmp_path, "whole", "0-4").communicate()
    whole = {r.run["run_id"]: r for r in Store(tmp_path / "whole")}
    assert len(whole) == len(METHODS) * 5
    for k in range(folders):
        folder = tmp_path / str(k)
        folder.mkdir()
        runs, *found = killed_often(folder, KILLS // folders, rng)
        resumed, torn, count = resumed + found[0], torn + found[1], count + len(runs)
        for name, run in whole.items():
            assert numbers(runs[name]) == numbers(run)
    assert resumed > KILLS / 4, "the kills were to find runs at work"
    print(
        f"\n{KILLS} kills, {count} runs, {resumed} times a run was resumed, {torn} torn proposal "
        f"lines seen; "
        f"{folders * len(whole)} runs compared with uninterrupted ones"
    )
