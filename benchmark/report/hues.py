"""A colour and a marker for each method, the same in every picture for ever."""

from __future__ import annotations

import hashlib

from benchmark.registry import METHODS

# ten that the colour-blind tell apart (Petroff 2021, arXiv 2107.02270)
PALETTE = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
_BUILT_IN, _OTHERS = "os^D", "PX*p"


def hue_of(method: str) -> tuple[str, str]:
    """A built-in's by its place in the table of built-ins, another's by a hash of its name.

    No two built-ins have both in common, and no other method has a built-in's marker.
    """
    order = [name for name, entry in METHODS.complete().items() if entry.built_in]
    if method in order:
        k, markers = order.index(method), _BUILT_IN
    else:
        k, markers = hashlib.sha256(method.encode()).digest()[0], _OTHERS
    return PALETTE[k % len(PALETTE)], markers[k // len(PALETTE) % len(markers)]


def next_hue(colour: str, k: int) -> str:
    """The colour k places after this one."""
    return PALETTE[(PALETTE.index(colour) + k) % len(PALETTE)]
