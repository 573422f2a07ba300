"""The file of pytorch-fid's InceptionV3, the network of the first FID code."""

from __future__ import annotations

from pathlib import Path

from tasks.files.weights import OnWeb, given, locate

DIM = 2048
"""Of its features."""
SOURCE = OnWeb(
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    "Apache-2.0 (pytorch-fid, and the TensorFlow network that it was converted from)",
)


def file(path: str = "", option: str = "") -> Path:
    """The weights: the named file, or where pytorch-fid's own download lies. Raises UsageError."""
    return given("Inception", path) if path else locate("Inception", SOURCE, option)
