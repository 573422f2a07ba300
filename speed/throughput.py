"""Runs a second of two at a time beside one, where a run sleeps: `--jobs 2`, and two Dask workers.

Target: at least 0.95 of twice as many. What starts once a suite is measured apart: each way carries
out FEW and MANY runs, and the difference counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW, MANY, SLEEP = 4, 44, 2.0
PLUGIN = f"""
import time
from benchmark import Proposal, register_method

@register_method("sleeps")
def sleeps(problem, rng):
    time.sleep({SLEEP})
    lam, state = problem.space.default(), problem.init(0)
    yield Proposal(lam, state, problem.loss(state, lam))
"""
WAYS = {
    "one at a time": ["--jobs", "1"],
    "--jobs 2": ["--jobs", "2"],
    "--engine dask --jobs 2": ["--engine", "dask", "--jobs", "2"],
}


def took(root: Path, runs: int, words: list[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmark", "run", "--plugin", str(root / "sleeps.py")]
    command += ["--method", "sleeps", "--task", "quadratic", "--budget", "100nfe", "--quiet"]
    command += ["--seeds", f"0-{runs - 1}", "--out", str(root / f"{runs}{words}"), *words]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    one = 0.0
    for name, words in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "sleeps.py").write_text(PLUGIN)
            seconds = [took(root, runs, words) for runs in (FEW, MANY)]
        each = (seconds[1] - seconds[0]) / (MANY - FEW)
        one = one or each
        print(
            f"{name}: {each:.3f} s a run that sleeps {SLEEP:g} s, {one / each:.2f} times as many "
            f"a second; {FEW} runs take {seconds[0]:.1f} s, with all that starts once"
        )
