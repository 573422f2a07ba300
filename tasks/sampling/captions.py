"""The prompts of `sampling`: one half for the search, the other held out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.errors import UsageError
from tasks.files.weights import digest, place
from tasks.reward_ft import digits

if TYPE_CHECKING:
    from tasks.sampling import SamplingMaker

Half = Literal["search", "test"]
LEAST = 2
"""Prompts of a file: one for each half."""
# for a model of the user's without a file: plain subjects, none of them a person
_PLAIN = (
    "a red bicycle against a white wall",
    "a bowl of oranges on a wooden table",
    "a lighthouse on a cliff at sunset",
    "a grey cat asleep on a sofa",
    "a train crossing a bridge in the mountains",
    "a glass of water beside an open book",
    "a street market in the rain",
    "a snow-covered cabin in a forest",
    "two horses in a green field",
    "a yellow taxi in a busy street",
    "a plate of pasta with basil",
    "a sailing boat on a calm lake",
    "a vase of tulips by a window",
    "a stone castle on a hill",
    "a black dog running on a beach",
    "an old clock on a brick tower",
)


@lru_cache(maxsize=4)
def _lines(path: Path, content: str) -> tuple[str, ...]:
    """content: the file's digest, so that an edited file is read anew. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"option sampling.prompts_file: expected a text file with a prompt a line, got {path}: "
            f"{getattr(error, 'strerror', None) or error}"
        ) from error
    found = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if len(found) < LEAST:
        raise UsageError(
            f"option sampling.prompts_file: expected {LEAST} different prompts or more in {path}, "
            f"got {len(found)}; each other one is held out"
        )
    return found


def _digits() -> tuple[str, ...]:
    """Each digit in each ink on each ground, as far as the shipped model was trained on it."""
    every = (
        digits.Caption(digit, ink, ground)
        for digit in range(len(digits.DIGITS))
        for ink in range(len(digits.INKS))
        for ground in range(len(digits.GROUNDS))
    )
    return tuple(str(caption) for caption in every if not digits.held_out(caption))


def prompts(o: SamplingMaker, half: Half) -> tuple[str, ...]:
    """In an order that is the same in every run. Raises UsageError."""
    if o.prompts_file:
        path = place(o.prompts_file)
        every = _lines(path, digest(path) if path.is_file() else "")
        if not o.model:
            for prompt in every:
                digits.parse(prompt)
    else:
        every = _PLAIN if o.model else _digits()
    order = np.random.default_rng(0).permutation(len(every))
    mine = order[::2] if half == "search" else order[1::2]
    return tuple(every[k] for k in mine)
