"""Images that each method ended with."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.look import picture, subplots
from benchmark.report.rows import Row
from benchmark.report.table import Table
from benchmark.store.seal import SAMPLES

# inches of a letter of a title, and the lines that it may have
_LETTER, _LINES = 0.075, 3


def samples(table: Table) -> Figure | None:
    """The final images of each method.

    Of the lowest seed that all have: a block for each prompt, in a column the same image seeds.
    """
    rows, seed = _shared(table)
    if not rows:
        return None
    prompts = sorted(set.intersection(*(set(images) for images in rows.values())))
    figure, grid = _grid(next(iter(rows.values()))[prompts[0]].shape[:2], len(rows), len(prompts))
    for i, (label, images) in enumerate(rows.items()):
        for j, prompt in enumerate(prompts):
            axes = grid[i][j]
            axes.imshow(images[prompt], interpolation="lanczos")
            axes.axis("off")
            if i == 0:
                title = f"“{_short(prompt, axes)}”" if prompt else f"seed {seed}"
                axes.set_title(title, fontsize=9)
            if j == 0:
                place = {"transform": axes.transAxes, "ha": "right", "va": "center"}
                axes.text(-0.02, 0.5, label, fontsize=9, **place)
    figure.subplots_adjust(wspace=0.03, hspace=0.04)
    return figure


def _short(prompt: str, axes: Axes) -> str:
    """As many lines of the picture's width as there is room for."""
    wide = axes.get_position().width * cast(Figure, axes.figure).get_figwidth()
    text = wrap(prompt, max(8, int(wide / _LETTER)), max_lines=_LINES, placeholder=" …")
    return "\n".join(text)


def _grid(shape: tuple[int, int], rows: int, columns: int) -> tuple[Figure, Any]:
    """Axes for so many pictures of (height, width) pixels."""
    tall, wide = shape
    # inches of one image: small ones enlarged, large ones up to 195 pixels
    side = min(max(tall / 150, 0.575), 1.3)
    size = (side * wide / tall * columns + 1.2, (side + 0.175) * rows + 0.4)
    return subplots(rows, columns, figsize=size, squeeze=False)


def _shared(table: Table) -> tuple[dict[str, dict[str, Any]], int]:
    """By row, the pictures by prompt of the lowest seed of which all rows share a prompt.

    Only those are read: a store may hold thousands.
    """
    every = {row.label: _paths(row) for row in table.rows}
    # a method without any picture must not hide those of the others
    drawn = {k: v for k, v in every.items() if any(picture(p) is not None for p in v.values())}
    cells = set.intersection(*(set(v) for v in drawn.values())) if drawn else set()
    for seed in sorted({s for s, _ in cells}):
        read = {label: _of_seed(paths, seed) for label, paths in drawn.items()}
        if set.intersection(*(set(images) for images in read.values())):
            return read, seed
    return {}, 0


def _paths(row: Row) -> dict[tuple[int, str], Path]:
    """By seed and prompt."""
    return {
        (r.run["spec"]["seed"], r.run["spec"]["prompt"]): path
        for r in row.stored
        if (path := r.folder / SAMPLES).exists()
    }


def _of_seed(paths: dict[tuple[int, str], Path], seed: int) -> dict[str, Any]:
    read = {p: picture(path) for (s, p), path in paths.items() if s == seed}
    return {prompt: image for prompt, image in read.items() if image is not None}
