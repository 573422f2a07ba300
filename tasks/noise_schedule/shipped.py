"""The shipped classifiers of noise_schedule: their files, and the shapes of their networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.files.shipped import listed, same
from tasks.files.weights import digest
from tasks.measure import inception

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Shape:
    """side: pixels of the image.  dim: D.  blocks: (channels, kernel, stride) of convolutions."""

    side: int
    dim: int
    blocks: tuple[tuple[int, int, int], ...]


SHAPES = {
    "digits": Shape(8, 32, ((32, 3, 1), (48, 3, 2), (64, 3, 1))),
    "mnist": Shape(28, 64, ((16, 5, 2), (32, 3, 1), (48, 3, 2), (64, 3, 1), (96, 3, 2))),
}


def file(dataset: str, folder: Path = ASSETS) -> tuple[Path, str]:
    """A classifier's file, and its SHA-256. Raises UsageError where it was altered."""
    name = f"{dataset}.safetensors"
    about = listed(folder).get(name)
    listing = about if isinstance(about, dict) else {}
    expected = str(listing.get("sha256", "none listed"))
    same(folder / name, expected)
    return folder / name, expected


def fingerprint(dataset: str, features: str) -> dict[str, str]:
    """SHA-256 by file name of the networks that measure. Raises UsageError."""
    # the classifier counts always: the Inception Score needs its logits
    hashes = {f"{dataset}.safetensors": file(dataset)[1]}
    if features == "inception":
        path = inception.file()
        hashes[path.name] = digest(path)
    return hashes
