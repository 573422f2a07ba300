"""Runs in Weights & Biases, by its own client; offline where WANDB_MODE says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmark.errors import UsageError
from benchmark.export.answering import ask
from benchmark.export.tracking import Tracked
from benchmark.store.files import write_atomic

PROJECT = "diffusion-hpo-bench"
_DONE = "bench.done"
_OFFLINE = ("offline", "dryrun")
_CURE = "run wandb login or set WANDB_API_KEY, or keep the runs here with WANDB_MODE=offline"


def reach(place: str) -> None:
    """Raises UsageError without an API key, and where no server takes it; offline needs none."""
    wandb = _client()
    if wandb.setup().settings.mode not in (*_OFFLINE, "disabled"):
        ask("wandb", lambda: _login(wandb), _CURE)


def write(runs: Sequence[Tracked], place: str) -> int:
    """place: a project.  A run has the suite's id there, so one that is written again is itself."""
    wandb, project = _client(), place or PROJECT
    settings = wandb.setup().settings
    if settings.mode not in _OFFLINE:
        return sum(_write(wandb, run, project) for run in runs)
    # beside W&B's own folders, in which no run can be looked up
    kept = Path(settings.wandb_dir) / "bench" / quote(project, safe="")
    return sum(_write_offline(wandb, run, project, kept / run.run_id) for run in runs)


def _client() -> Any:
    # it would report errors to its makers
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    return wandb


def _login(wandb: Any) -> None:
    try:
        # earlier versions ask the user for a key
        if "prompt" in signature(wandb.login).parameters:
            known = wandb.login(prompt=False, verify=True)
        else:
            known = wandb.api.api_key and wandb.Api(timeout=10).viewer
    finally:
        # its service would run beside the searches
        wandb.teardown()
    if not known:
        raise UsageError(f"wandb: expected an API key, got none; {_CURE}")


def _write(wandb: Any, run: Tracked, project: str) -> bool:
    """Whether it was not there."""
    with _begin(wandb, run, project, resume="allow") as made:
        # of a run that is resumed the summary is that of then
        if made.summary.get(_DONE) == run.digest:
            return False
        if not made.resumed:
            _fill(wandb, made, run)
            return True
    # without `resume` what is there of this id is replaced
    with _begin(wandb, run, project) as made:
        _fill(wandb, made, run)
    return True


def _write_offline(wandb: Any, run: Tracked, project: str, marker: Path) -> bool:
    """marker: a file of the digest and of W&B's folder for the run."""
    text = marker.read_text(encoding="utf-8") if marker.exists() else "\n"
    digest, _, folder = text.partition("\n")
    if digest == run.digest:
        return False
    # of another record of this run, or cut short: wandb sync would send both
    if folder.startswith("offline-run-"):
        shutil.rmtree(marker.parents[2] / Path(folder).name, ignore_errors=True)
    with _begin(wandb, run, project) as made:
        folder = Path(made.dir).parent.name
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(marker, f"\n{folder}")
        _fill(wandb, made, run)
    write_atomic(marker, f"{run.digest}\n{folder}")
    return True


def _begin(wandb: Any, run: Tracked, project: str, **more: Any) -> AbstractContextManager[Any]:
    found: AbstractContextManager[Any] = wandb.init(
        project=project,
        id=run.run_id,
        name=run.name[:120],
        group=run.group,
        config={**run.parameters, "status": run.status},
        settings=wandb.Settings(silent=True),
        **more,
    )
    return found


def _fill(wandb: Any, made: Any, run: Tracked) -> None:
    for p in run.points:
        made.log({**p.values, "evaluations": p.evaluations, "seconds": p.seconds})
    for path in run.pictures:
        made.log({path.stem: wandb.Image(str(path))})
    made.summary.update({f"final.{k}": v for k, v in run.final.items()} | {_DONE: run.digest})
