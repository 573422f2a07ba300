"""Runs as TensorBoard's event files, a folder a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmark.errors import UsageError
from benchmark.export.tracking import Tracked
from benchmark.store.files import write_atomic

_DONE = "bench.done"


def reach(place: str) -> None:
    """Raises UsageError where no folder is given."""
    if not place:
        raise UsageError("tensorboard: expected a folder to write to, got none")


def write(runs: Sequence[Tracked], place: str) -> int:
    """place: a folder."""
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    count = 0
    for run in runs:
        folder = Path(place) / _plain(run.group) / f"{_plain(run.name)} {run.run_id[:8]}"
        done = folder / _DONE
        if done.exists() and done.read_text(encoding="utf-8") == run.digest:
            continue
        # of another record of this run, or cut short: TensorBoard would show both as one
        for old in (done, *folder.glob("events.out.tfevents.*")):
            old.unlink(missing_ok=True)
        with SummaryWriter(str(folder)) as writer:
            for p in run.points:
                for name, value in p.values.items():
                    writer.add_scalar(name, value, p.evaluations)
            last = run.points[-1].evaluations if run.points else 0
            for name, value in run.final.items():
                writer.add_scalar(f"final/{name}", value, last)
            lines = [f"| {k} | {v} |" for k, v in run.parameters.items()]
            writer.add_text("parameters", "\n".join(["| name | value |", "| --- | --- |", *lines]))
            for path in run.pictures:
                with Image.open(path) as image:
                    pixels = np.asarray(image.convert("RGB"))
                writer.add_image(path.stem, pixels, last, dataformats="HWC")
        # last: a run that was cut short here is written once more
        write_atomic(done, run.digest)
        count += 1
    return count


def _plain(text: str) -> str:
    """As the name of a folder."""
    return "".join(c if c.isalnum() or c in "_-., " else "_" for c in text)[:150].strip()
