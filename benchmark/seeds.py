"""Random numbers: one root seed, named substreams, no global generator."""

from __future__ import annotations

import hashlib

import numpy as np


def substream(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on the root seed and on the names alone."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    return np.random.default_rng(substream(seed, *names))
