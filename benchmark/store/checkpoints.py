"""Checkpoints: the arrays of a run's states, saved now and then in its folder."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.store.files import storing

Arrays = Mapping[str, NDArray[Any]]
STATES = "states"
"""The folder's name, in that of the run."""
# seconds between two savings, or more where saving is slow
_EVERY = 20.0
# of the time, at most, for saving
_SHARE = 0.05


class Checkpoints:
    """The arrays of states by number, one safetensors file each, in a folder.

    saved: bytes by number.  size: bytes of all.
    """

    def __init__(self, folder: Path, before: Callable[[], None] = lambda: None) -> None:
        """before: called before each file is written."""
        self.folder, self._due = folder, time.monotonic() + _EVERY
        self._before = before
        self.saved = {
            int(p.stem): p.stat().st_size for p in folder.glob("*.safetensors") if p.stem.isdigit()
        }
        self.size = sum(self.saved.values())

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._due

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.safetensors"

    def get(self, number: int) -> Arrays | None:
        """None where the state is not saved, or its file is damaged: then it is computed again."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found: Arrays = load_file(self._path(number))
        except (OSError, SafetensorError, ValueError):
            return None
        return found

    def save(
        self, states: Iterable[tuple[int, Arrays]], keep: set[int], most: float = math.inf
    ) -> None:
        """Delete all but `keep`; save states up to `most` bytes in all. Raises StorageError."""
        began = time.monotonic()
        with storing(self.folder):
            self._save(states, keep, most)
        now = time.monotonic()
        self._due = now + max(_EVERY, (now - began) / _SHARE)

    def _save(self, states: Iterable[tuple[int, Arrays]], keep: set[int], most: float) -> None:
        from safetensors.numpy import save

        self._before()
        self.folder.mkdir(exist_ok=True)
        # deleted first, so that their bytes are free for the new ones
        for number in set(self.saved) - keep:
            self._path(number).unlink(missing_ok=True)
            self.size -= self.saved.pop(number)
        for number, arrays in states:
            if self.size >= most:
                break
            scratch = self._path(number).with_suffix(".part")
            self._before()
            # safetensors writes the memory as it lies, so a strided view would come back wrong
            packed = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
            size = scratch.write_bytes(save(packed))
            os.replace(scratch, self._path(number))
            self.saved[number] = size
            self.size += size
