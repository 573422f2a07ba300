"""Runs in Weights & Biases, by its own client; offline where WANDB_MODE says so."""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmark.export.tracking import Tracked

PROJECT = "diffusion-hpo-bench"
_DONE = "bench.done"


def write(runs: Sequence[Tracked], place: str) -> int:
    """place: a project.  A run has the suite's id there, so one that is written again is itself."""
    # it would report errors to its makers
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    count = 0
    for run in runs:
        with wandb.init(
            project=place or PROJECT,
            id=run.run_id,
            name=run.name[:120],
            group=run.group,
            config={**run.parameters, "status": run.status},
            resume="allow",
            settings=wandb.Settings(silent=True),
        ) as made:
            # of a run that is resumed the summary is that of then
            if made.summary.get(_DONE):
                continue
            for p in run.points:
                spent = {"evaluations": p.evaluations, "seconds": p.seconds}
                made.log({**p.values, **spent})
            for path in run.pictures:
                made.log({path.stem: wandb.Image(str(path))})
            made.summary.update({f"final.{k}": v for k, v in run.final.items()} | {_DONE: True})
        count += 1
    return count
