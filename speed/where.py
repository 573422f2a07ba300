"""Where the time of a run goes: torch's operators by kind, and what is not torch.

Whole runs in this process under torch's profiler, with set-up, search and measurement. Products are
convolutions, matrix products and attention, forward and backward. Goal: what else takes 5 % is
named in DESIGN.md with its reason, or removed.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS, TASKS
from benchmark.runs.forked import modules
from benchmark.runs.runner import run_one
from benchmark.store.store import Store

JOBS = (
    ("bilevel", "reward_ft", "60s"),
    ("random", "reward_ft", "20s"),
    ("bilevel", "noise_schedule", "120000nfe"),
    ("random", "sampling", "15000nfe"),
)
PRODUCTS = ("convolution", "::mm", "addmm", "bmm", "scaled_dot_product")
SHOWN = 0.01


def kind(operator: str) -> str:
    """One of PRODUCTS, or an operator's own name without what tells forward from backward."""
    if any(part in operator for part in PRODUCTS):
        return "products"
    return operator.removeprefix("aten::").removeprefix("native_").removesuffix("_backward")


def shares(method: str, task: str, budget: str) -> tuple[float, Counter[str]]:
    """Seconds of a run, and those of each kind of operator."""
    METHODS.complete()
    TASKS.complete()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        spec = plan(method, task, budget=budget)[0]
        # as a run's parent has done it
        for name in modules([spec]):
            import_module(name)
        began = time.perf_counter()
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            run_one(spec, Store(Path(folder)), quiet=True)
            took = time.perf_counter() - began
        for event in seen.key_averages():
            found[kind(event.key)] += event.self_cpu_time_total / 1e6
    return took, found


def main() -> None:
    for method, task, budget in JOBS:
        took, found = shares(method, task, budget)
        print(f"{task} {method}, {budget}: {took:.1f} s under the profiler")
        for name, seconds in found.most_common():
            if seconds > SHOWN * took:
                print(f"  {100 * seconds / took:5.1f} %  {name}")
        rest = took - found.total()
        print(f"  {100 * rest / took:5.1f} %  outside torch")
