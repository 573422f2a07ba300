"""`bench report`, and `bench run` where all is stored, on 1,000 runs and more; the page, opened.

Whole processes, the page among what they write. Targets: a report of 1,000 runs in 5 s and of
10,000 in 40 s, in less than 2 GiB, and a page of 120 runs that is drawn within 1 s in Chromium.
`BENCH_RUNS=1000,3000`: other numbers.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from benchmark.command.parse import plan_from_text as plan
from benchmark.runs.runner import run_one
from benchmark.store.store import Store

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


def _whole(words: list[str]) -> tuple[float, float]:
    """Seconds of a command and the GiB of its peak."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return time.perf_counter() - began, used.ru_maxrss / 2**20


def opened(rounds: int = 7) -> None:
    """The page of the 120 runs of results/reward_ft: from the address to the drawn curves."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("the page was not opened: there is no chromium")
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with tarfile.open("results/reward_ft/runs.tar.xz") as packed:
            packed.extractall(folder, filter="data")
        _whole(["report", folder])
        path = Path(folder) / "report" / "explore.html"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        took = []
        for _ in range(rounds):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("#chart svg .mark-symbol path")
            took.append(time.perf_counter() - began)
            page.close()
        browser.close()
        print(
            f"the page of {len(list(Store(Path(folder))))} runs, {path.stat().st_size / 2**20:.1f} "
            f"MiB: drawn after {statistics.median(took):.2f} s, {min(took):.2f} to {max(took):.2f} "
            f"in {rounds} openings, the first {took[0]:.2f}"
        )


def main() -> None:
    before: dict[str, tuple[int, float]] = {}
    for runs in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "runs"
            words = fill(root, runs // 4)
            commands = {"report": ["report", str(root)], "run": ["run", *words, "--out", str(root)]}
            for name, command in commands.items():
                took, peak = _whole(command)
                was, earlier = before.get(name, (runs, took))
                before[name] = (runs, took)
                growth = (
                    f", {took / earlier:.2f} times as long for {runs / was:.2f} times as many"
                    if was < runs
                    else ""
                )
                size = (root / "report" / "explore.html").stat().st_size / 2**20
                print(
                    f"bench {name} on {runs} stored runs: {took:.1f} s, {peak:.2f} GiB, a page of "
                    f"{size:.1f} MiB{growth}",
                    flush=True,
                )
    opened()
