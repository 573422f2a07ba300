"""`python -m speed --table`: the suite beside what others would run instead, as speed/README.md.

About 15 minutes on one core.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import optuna
import torch

from benchmark.store.files import write_atomic
from speed import frechet, optuna_loop, outer_step, plain_loop
from speed.timing import Compared, compare
from tasks.reward_ft import RewardFt

PLACE = Path(__file__).parent / "README.md"
NAMED = ("torch", "diffusers", "optuna", "pytorch-fid", "torch-fidelity")


@dataclass(frozen=True)
class Anchor:
    """B/A of one comparison. goal: what B/A was to reach, or None.  why: of a goal not reached."""

    what: str
    ours: str
    other: str
    found: Compared
    goal: float | None = None
    why: str = ""
    clock: str = "clock"

    def row(self) -> str:
        (a, b), (mean, low, high) = self.found.medians, self.found.interval
        cells = [self.what, f"{self.ours}, {a:.3g} s", f"{self.other}, {b:.3g} s"]
        cells += [f"{mean:.3g} [{low:.3g}, {high:.3g}]", f"{len(self.found.pairs)}", self.clock]
        return f"| {' | '.join([*cells, self.verdict()])} |"

    def verdict(self) -> str:
        if self.goal is None:
            return "none"
        mean, low, high = self.found.interval
        if low >= self.goal or high < self.goal:
            return f"{self.goal:g}: {'met' if low >= self.goal else 'not met'}"
        return f"{self.goal:g}: {'met' if mean >= self.goal else 'not met'} by the mean"


def outer() -> Iterator[Anchor]:
    found = outer_step.measured(3)
    yield Anchor(
        "an outer step of `bilevel` on 28x28 pixels (parts measured, then added)",
        "ours",
        "the released code's calls",
        outer_step.compared(found),
        10,
        "A network on a CPU takes time in proportion to its images, and ours takes 7,200 where the "
        "released code takes 46,800; both train for about as many steps. If our sampling took no "
        f"time at all the whole step would be {outer_step.bound(found):.1f} times faster.",
    )


def distances() -> Iterator[Anchor]:
    for n, rounds in ((256, 5), (5000, 3)):
        ways = frechet.Distances.of(n)
        for name, other in ways.others().items():
            goal = 300 if (n, name) == (256, "pytorch-fid") else None
            what = f"Frechet distance, N = {n:,}, D = 2,048, the reference's moments at hand"
            yield Anchor(what, "ours", name, compare(ways.ours, other, rounds), goal)


def loops() -> Iterator[Anchor]:
    found = plain_loop.Loops(RewardFt(mode="direct"))
    why = (
        "Both call the same networks on the same batches, and those take nearly all the time. They "
        f"run at {100 * found.rate():.0f} % of this core's rate for a matrix product in fp32."
    )
    for guided in (False, True):
        gap = found.gap(guided)
        yield Anchor(
            f"{'guided' if guided else 'unguided'} sampling of {found.options.images} images, "
            f"{found.options.steps} steps, pixels equal to {gap:.0e}",
            "ours",
            "a loop of diffusers' parts",
            compare(*found.both(guided), rounds=7),
            1.5,
            why,
        )


def harness() -> Iterator[Anchor]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        runs = optuna_loop.suite_runs(Path(folder))
        found = compare(
            lambda: next(runs), optuna_loop.optuna_loop, rounds=15, clock=time.process_time
        )
        more = found.medians[0] - found.medians[1]
        yield Anchor(
            f"{optuna_loop.TRIALS} trials of TPE, 22 free requests each; ours takes {more:.2f} s "
            "more, start and end of the run with it",
            "a stored run",
            "Optuna's own loop",
            found,
            clock="processor",
        )


PARTS: tuple[Callable[[], Iterator[Anchor]], ...] = (outer, distances, loops, harness)


def page(anchors: list[Anchor], machine: str) -> str:
    """Markdown: the table, and why a goal was not reached."""
    reasons = {a.why: None for a in anchors if a.why and "not met" in a.verdict()}
    lines = [
        "# What the suite saves",
        "",
        "Made by `python -m speed --table`; not to be edited. A: the suite. B: what one would run",
        "instead. Both in turn, after a warm-up of each; seconds are medians over the rounds. B/A:",
        "geometric mean and 95 % interval (Student's t on its logarithm). Above 1 the suite is",
        "faster.",
        "",
        machine,
        "",
        "| What | A | B | B/A | Rounds | Time of | Goal |",
        "| --- | --- | --- | ---: | ---: | --- | --- |",
        *(a.row() for a in anchors),
        "",
    ]
    if reasons:
        lines += ["## Why a goal is not met", "", *(f"- {reason}" for reason in reasons), ""]
    return "\n".join(lines)


def machine() -> str:
    """The machine in a sentence, without its name."""
    cores, threads = os.cpu_count(), torch.get_num_threads()
    packages = ", ".join(f"{name} {version(name)}" for name in NAMED)
    return (
        f"{date.today()}: {_processor()}, {cores} cores, {threads} thread"
        f"{'s' if threads > 1 else ''} used, load {os.getloadavg()[0]:.1f} as it began; Python "
        f"{platform.python_version()}, {packages}."
    )


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    lines = found.read_text(encoding="utf-8").splitlines() if found.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def main() -> None:
    where = machine()
    anchors = []
    for anchor in chain.from_iterable(part() for part in PARTS):
        print(anchor.row(), flush=True)
        anchors.append(anchor)
    write_atomic(PLACE, page(anchors, where))
