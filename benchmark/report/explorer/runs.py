"""What a page says of each run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmark.report.explorer.images import MOST, strips
from benchmark.store.stored import Stored, trials_of

# of a long list so many lines are shown at least, evenly spread
_LINES = 40
# proposals, and trials, of all runs together: those of 120 runs are about 1.5 MB
_ALL_LINES = 4800
_POINTS = 120
# runs of a page: 800 of a toy's are 4 MB
_RUNS = 800


def _even(count: int, most: int) -> list[int]:
    """The indices of at most so many of a list, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [int(k) for k in np.linspace(0, count - 1, most).round()]


def spread(lines: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, evenly, the first and the last among them."""
    return [lines[k] for k in _even(len(lines), most)]


def with_best(trials: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """As `spread`; the trial of the lowest F is always there."""
    losses = [float("nan" if t["loss"] is None else t["loss"]) for t in trials]
    kept = _even(len(trials), most)
    if np.isfinite(losses).any() and (best := int(np.nanargmin(losses))) not in kept:
        kept = sorted({*_even(len(trials), most - 1), best})
    return [trials[k] for k in kept]


def lines_of(runs: int) -> int:
    """How many proposals, and trials, of each run a page of so many runs lists."""
    return max(_LINES, _ALL_LINES // max(1, runs))


def command_of(spec: Mapping[str, Any], plugins: Sequence[str] = ()) -> str:
    """The `bench run` that makes a run again, with all of its options. plugins: names of files."""
    words = ["bench", "run", *(word for name in plugins for word in ("--plugin", name))]
    words += ["--method", spec["method"], "--task", spec["task"]]
    words += ["--preset", spec["preset"], "--budget", spec["budget"], "--device", spec["device"]]
    words += ["--seeds", str(spec["seed"]), f"--marks={','.join(spec['marks'])}"]
    words += ["--lower", spec["lower"]] if spec["lower"] else []
    words += ["--prompt", spec["prompt"]] if spec["prompt"] else []
    for part, options in (("task", "task_options"), ("method", "method_options")):
        given = {**spec[options], **(spec.get("places", {}) if part == "task" else {})}
        for name, value in sorted(given.items()):
            words += ["--set", f"{spec[part]}.{name}={value}"]
    return shlex.join(words)


def fewest(runs: Sequence[tuple[int, Stored]]) -> list[tuple[int, Stored]]:
    """Those that a page has by themselves, at most so many of the lowest seeds; by row and seed."""

    def place(one: tuple[int, Stored]) -> tuple[int, int, str]:
        return one[0], one[1].run["spec"]["seed"], one[1].run["spec"]["prompt"]

    return sorted(sorted(runs, key=lambda r: r[1].run["spec"]["seed"])[:_RUNS], key=place)


def described(runs: Sequence[tuple[int, Stored]]) -> list[dict[str, Any]]:
    """Each run of a row, by the row's number, as a page shows it; images up to their limit."""
    most = lines_of(len(runs))
    found: list[dict[str, Any]] = [
        {**_described(row, run, most), "images": None} for row, run in runs
    ]
    left = MOST
    # the lowest seeds first, so that each row has some
    for k in sorted(range(len(runs)), key=lambda k: runs[k][1].run["spec"]["seed"]):
        images = list(strips(runs[k][1]))
        left -= sum(len(image or "") for image in images)
        # pictures of the rest are not even read: there may be thousands
        if left < 0:
            break
        found[k]["images"] = images
    return found


def _described(row: int, run: Stored, most: int) -> dict[str, Any]:
    spec, record = run.run["spec"], run.run
    trials = trials_of(run)
    return {
        "id": record["run_id"],
        "row": row,
        "seed": spec["seed"],
        "prompt": spec["prompt"],
        "status": record["status"],
        "error": record.get("error", ""),
        "command": command_of(spec, record.get("plugins", ())),
        "options": {
            **{f"{spec['task']}.{k}": v for k, v in spec["task_options"].items()},
            **{f"{spec['method']}.{k}": v for k, v in spec["method_options"].items()},
        },
        "ledger": record.get("ledger", {}),
        "spent": {
            "seconds": record.get("search_seconds"),
            "evaluations": record.get("nfe"),
            "requests": record.get("oracle_calls"),
        },
        "environment": record.get("environment", {}),
        "hashes": spec["fingerprint"],
        "notes": record.get("notes", []),
        "tests": [
            {k: t[k] for k in ("seconds", "nfe", "lam", "metrics", "passport") if k in t}
            for t in run.tests
        ],
        "curves": _curves(run),
        "proposals": spread(run.proposals, most),
        "proposal_count": len(run.proposals),
        "trials": with_best(trials, most),
        "trial_count": len(trials),
    }


def _curves(run: Stored) -> dict[str, list[dict[str, float]]]:
    """What the task drew of the last answer: points of it and of the default."""
    curves = run.tests[-1]["curves"] if run.tests else {}
    return {
        name: [
            {"x": x, "own": float(f"{own:.4g}"), "default": float(f"{default:.4g}")}
            for x, own, default in spread(list(zip(*rows, strict=True)), _LINES)
        ]
        for name, rows in curves.items()
    }


def searched(run: Stored) -> list[dict[str, Any]]:
    """F of the incumbent over what was spent, as the search saw it."""
    lines = [
        {
            "seconds": p["seconds"],
            "evaluations": p["nfe"],
            "steps": p.get("all_steps") or 0,
            "proposals": k + 1,
            "y": p["loss"],
        }
        for k, p in enumerate(run.proposals)
        if np.isfinite(float(p["loss"]))
    ]
    return spread(lines, _POINTS)
