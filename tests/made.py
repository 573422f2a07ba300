"""Stored runs that nobody ran: some methods and seeds on a task with any axes, metrics and
curves.
"""

import numpy as np

from benchmark.budget import ACCOUNTS
from benchmark.spec import SCHEMA, RunSpec
from benchmark.store.store import Store
from benchmark.store.writer import Writer

T = np.linspace(0, 1, 11)
AXES = ("start", "end", "tau", "eps")


def made(
    root,
    methods=("alpha", "beta"),
    seeds=3,
    budget="1000nfe",
    marks=("500nfe",),
    axes=AXES,
    metrics=("fid", "inception_score", "objective"),
    passport=None,
    curves=True,
    options=None,
    prompt="",
    images=(),
    steps=True,
    **record,
):
    """Two proposals a run, at 400 and 800 evaluations and 4 and 8 s, both measured; returns the
    store. steps: whether they say how many steps the search had taken.
    """
    store, rng = Store(root), np.random.default_rng(0)
    for k, method in enumerate(methods):
        for seed in range(seeds):
            spec = RunSpec(
                "schedule",
                "small",
                method,
                "",
                seed,
                prompt,
                budget,
                marks,
                task_options=options or {},
            )
            writer = Writer(store.folder(spec))
            tests = []
            for step in (1, 2):
                lam = {name: float(0.1 * step * (1 + rng.random())) for name in axes}
                line = {"seconds": 4.0 * step, "nfe": 400 * step, "lam": lam, "loss": 1.0 / step}
                line |= {"all_steps": 10 * step} if steps else {}
                writer.proposal(line)
                measured = {m: float(10 - step + k + rng.normal() * 0.1) for m in metrics}
                drawn = {
                    name: [list(T), list(T**step), list(T)] for name in ("abar(t)", "log-SNR(t)")
                }
                tests.append(
                    line
                    | {
                        "metrics": measured,
                        "passport": passport or {},
                        "curves": drawn if curves else {},
                    }
                )
            writer.final(tests, list(images))
            writer.run(
                {
                    "schema": SCHEMA,
                    "run_id": spec.run_id,
                    "spec": spec.as_json(),
                    "status": "ok",
                    "error": "",
                    "ledger": dict.fromkeys(ACCOUNTS, 1.0),
                    "wall_seconds": float(len(ACCOUNTS)),
                    "nfe": 900 + seed,
                    "search_seconds": 9.0 + seed,
                    "overrun_seconds": 0.0,
                    "no_incumbent": False,
                    "notes": [],
                    "peak_memory_of": "search",
                    "peak_memory_bytes": (100 + seed) * 2**20,
                    "environment": {"cpus": "2", "threads": "1"},
                    **record,
                }
            )
            writer.close("ok")
    return store


def told(record):
    """The notes of a run, but for those of a machine that was busy with other things."""
    return [note for note in record["notes"] if not note.startswith("the run stood still")]
