"""The shipped classifiers of noise_schedule: their files, and the shapes of their networks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from tasks.files.weights import digest
from tasks.measure import inception

ASSETS = Path(__file__).parent / "assets"
MANIFEST = "manifest.json"


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


def manifest(folder: Path) -> dict[str, Any]:
    """The shipped files by name, each with its `sha256` and settings. Raises UsageError."""
    path = folder / MANIFEST
    try:
        return {str(k): dict(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(
            f"weights: expected the list of hashes {path}; {error}; reinstall the package"
        ) from error


def file(dataset: str, folder: Path = ASSETS) -> tuple[Path, str]:
    """A classifier's file, and its SHA-256. Raises UsageError where it was altered."""
    name = f"{dataset}.safetensors"
    path, expected = folder / name, str(manifest(folder).get(name, {}).get("sha256", "none listed"))
    if not path.is_file():
        raise UsageError(
            f"weights: {path} is missing (expected SHA-256 {expected}); reinstall the package"
        )
    if (found := digest(path)) != expected:
        raise UsageError(
            f"weights: {path} was altered: expected SHA-256 {expected}, got {found}; reinstall "
            "the package"
        )
    return path, found


def fingerprint(dataset: str, features: str) -> dict[str, str]:
    """SHA-256 by file name of the networks that measure. Raises UsageError."""
    # the classifier counts always: the Inception Score needs its logits
    hashes = {f"{dataset}.safetensors": file(dataset)[1]}
    if features == "inception":
        path = inception.file()
        hashes[path.name] = digest(path)
    return hashes
