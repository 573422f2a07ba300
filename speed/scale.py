"""How cost grows with cells, stored runs and workers that share a folder.

Targets: 100,000 cells planned in 60 s and 2 GiB; a folder of 10,000 finished runs planned again in
20 s; a thousand workers without a shared bottleneck. Writes results/scale; about ten minutes.

Workers are simulated: each is the suite's own choice of runs, with its own leases and hints on one
real folder; their clocks are one simulated clock, on which a run takes about a minute. Counted are
calls of the file system, which are what a thousand machines ask of one server.
"""

from __future__ import annotations

import heapq
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from benchmark.command.parse import plan_from_text as plan
from benchmark.runs.sharing import Sharing
from benchmark.spec import RunSpec
from benchmark.store.hints import hint_stored
from benchmark.store.lease import Leases
from benchmark.store.planned import read_plan, write_plan
from benchmark.store.store import Store
from speed.reports import fill
from speed.timing import seconds

TEN = "default,grid,random,bilevel,design,qmc,tpe,asha,pbt,hyperband"
CELLS = (1_000, 10_000, 100_000)
STORED = (1_000, 10_000)
WORKERS = (1, 10, 100, 1_000)
RUNS = 10_000
Series = list[tuple[int, float]]
PLACE = Path("results/scale")
AXES = {
    "Planning": ("cells", "seconds"),
    "Planning again": ("finished runs", "seconds"),
    "Sharing a folder": ("workers", "calls of the file system a run"),
}
"""By the title of a panel: what its axes show."""

_CALLS = (
    "open",
    "os.link",
    "os.rename",
    "os.remove",
    "os.scandir",
    "os.listdir",
    "os.mkdir",
    "os.utime",
)


def _apart(act: Callable[[], None]) -> tuple[float, int]:
    """Seconds and peak bytes of something in a process of its own, which is its own high mark."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        began = time.perf_counter()
        act()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        os.write(writer, f"{time.perf_counter() - began} {peak}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        took, peak = file.read().split()
    os.waitpid(pid, 0)
    return float(took), int(peak)


def cells() -> Series:
    found: Series = []
    for n in CELLS:
        with tempfile.TemporaryDirectory() as folder:

            def act(n: int = n, root: Path = Path(folder)) -> None:
                specs = plan(TEN, "quadratic", budget="300nfe", seeds=f"0-{n // 10 - 1}")
                store = Store(root)
                assert all(store.find(spec) is None for spec in specs)
                write_plan(root, specs)
                assert len(read_plan(root)) == n

            took, peak = _apart(act)
            print(f"{n} cells planned, written and read: {took:.1f} s, {peak / 2**20:.0f} MiB")
            found.append((n, took))
    return found


def stored() -> Series:
    found: Series = []
    for n in STORED:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "runs"
            command = [sys.executable, "-m", "benchmark", "run", *fill(root, n // 4), "--dry-run"]
            took = seconds(
                lambda command=command, root=root: subprocess.run(
                    [*command, "--out", str(root)], check=True, capture_output=True
                )
            )
            print(f"{n} finished runs planned again (--dry-run): {took:.1f} s")
            found.append((n, took))
    return found


class Calls:
    """Calls of the file system by this process, as Python's audit sees them; stat is not seen."""

    def __init__(self) -> None:
        self.made, self._on = 0, False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: object) -> None:
        if self._on and event in _CALLS:
            self.made += 1

    @contextmanager
    def counted(self) -> Iterator[None]:
        self._on = True
        try:
            yield
        finally:
            self._on = False


def share(specs: Sequence[RunSpec], root: Path, count: int, calls: Calls) -> tuple[float, int, int]:
    """Simulated workers until nothing is free: simulated seconds, tries of a lock, calls."""
    rng, tries, done, made = random.Random(0), 0, set(), calls.made
    workers = [(store := Store(root, Leases(owner=f"w{k}")), Sharing(store)) for k in range(count)]
    waiting, held, at = [list(specs)] * count, [ExitStack() for _ in workers], [specs[0]] * count
    # a queue of array tasks starts within some seconds
    events = [(rng.uniform(0, 5), k, False) for k in range(count)]
    heapq.heapify(events)
    now = 0.0
    while events:
        now, k, busy = heapq.heappop(events)
        store, sharing = workers[k]
        with calls.counted():
            if busy:
                hint_stored(store.folder(at[k]), failed=False)
                held[k].close()
            free, others = sharing.choose(waiting[k])
            waiting[k] = free + others
            for spec in free:
                tries += 1
                lock = held[k].enter_context(store.lock(spec))
                if lock is not None and spec.run_id not in done:
                    done.add(spec.run_id)
                    at[k] = spec
                    heapq.heappush(events, (now + rng.lognormvariate(4, 0.5), k, True))
                    break
                held[k].close()
    assert len(done) == len(specs)
    return now, tries, calls.made - made


def shared() -> Series:
    specs, found, calls = (
        plan("random", "quadratic", budget="300nfe", seeds=f"0-{RUNS - 1}"),
        [],
        Calls(),
    )
    for spec in specs:
        assert spec.run_id
    for count in WORKERS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            began = time.perf_counter()
            took, tries, made = share(specs, root, count, calls)
            ideal = RUNS * 61.9 / count
            print(
                f"{count} workers, {RUNS} runs: {took:,.0f} simulated s, {ideal / took:.2f} of all "
                f"at work throughout; a start tries {tries / RUNS:.2f} locks and makes "
                f"{made / RUNS:.1f} calls, {made / took:,.1f} a second from all; "
                f"{1000 * (time.perf_counter() - began) / RUNS:.1f} ms of this machine"
            )
            found.append((count, made / RUNS))
    return found


def draw(found: pd.DataFrame, path: Path) -> None:
    """found: what, number, value, as in scale.csv."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    for axis, (title, (x, y)) in zip(figure.subplots(1, len(AXES)), AXES.items(), strict=True):
        own = found[found["what"] == title]
        axis.plot(own["number"], own["value"], marker="o")
        if x == "workers":
            axis.set_xscale("log")
            axis.set_xticks(own["number"])
            axis.xaxis.set_minor_locator(NullLocator())
        else:
            axis.xaxis.set_major_locator(MaxNLocator(3))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.set_ylim(0, 1.15 * own["value"].max())
        axis.set(title=title, xlabel=x, ylabel=y)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    made = zip(AXES, (cells(), stored(), shared()), strict=True)
    rows = [(title, n, round(value, 3)) for title, series in made for n, value in series]
    found = pd.DataFrame(rows, columns=["what", "number", "value"])
    PLACE.mkdir(exist_ok=True)
    found.to_csv(PLACE / "scale.csv", index=False)
    draw(found, PLACE / "scale.png")
