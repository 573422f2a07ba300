"""The four files of MNIST: where they lie, what they must hold, and how they are read."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError

VARIABLE = "BENCH_DATA_DIR"
CURE = (
    f"name its folder with --data-dir DIR or {VARIABLE}, or get it with `bench fetch mnist "
    "--data-dir DIR`"
)


@dataclass(frozen=True)
class File:
    """What one file must be: shape and MD5 of its IDX bytes, and the size of the published .gz."""

    shape: tuple[int, ...]
    md5: str
    packed_bytes: int

    @property
    def magic(self) -> int:
        """IDX: type 8 (unsigned byte), and the number of dimensions."""
        return 0x800 + len(self.shape)

    @property
    def content_bytes(self) -> int:
        return 4 + 4 * len(self.shape) + prod(self.shape)


MNIST = {
    "train-images-idx3-ubyte": File((60000, 28, 28), "6bbc9ace898e44ae57da46a324031adb", 9912422),
    "train-labels-idx1-ubyte": File((60000,), "a25bea736e30d166cdddb491f175f624", 28881),
    "t10k-images-idx3-ubyte": File((10000, 28, 28), "2646ac647ad5339dbf082846283269ea", 1648877),
    "t10k-labels-idx1-ubyte": File((10000,), "27ae3e4e09519cfbb04c329615203637", 4542),
}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def root() -> Path:
    """The folder of data sets that the environment names. Raises UsageError where it names none."""
    name = os.environ.get(VARIABLE, "").strip()
    if not name:
        raise UsageError(
            f"MNIST: expected a folder that holds MNIST/raw, but {VARIABLE} is not set; {CURE}"
        )
    folder = Path(name).absolute()
    if not os.path.isdir(folder):  # unlike Path.is_dir never an OSError
        raise UsageError(
            f"MNIST: {VARIABLE} {name!r}: expected a folder that can be read, there is none; {CURE}"
        )
    return folder


def find(base: Path, name: str) -> Path | None:
    """The file `name` or `name`.gz in torchvision's folders, or None. Raises UsageError."""
    for path in (base / "MNIST" / "raw" / name, base / "MNIST" / "raw" / f"{name}.gz"):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(f"MNIST: {path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"MNIST: {path}: expected a file, got a "
                f"{'folder' if stat.S_ISDIR(mode) else 'device'}"
            )
        return path
    return None


def inflate(packed: BinaryIO, most: int) -> bytes:
    """At most `most` + 1 bytes of a gzip stream. Raises UsageError where it is cut or damaged."""
    # one byte more than expected shows that there is more; all of it could fill the memory
    try:
        with gzip.GzipFile(fileobj=packed, mode="rb") as stream:
            return stream.read(most + 1)
    except EOFError as error:
        raise UsageError("the gzip file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"the gzip file is damaged ({error})") from error


def parse(name: str, content: bytes) -> NDArray[np.uint8]:
    """The array in IDX content, read-only. Raises UsageError for content that is not MNIST's."""
    file = MNIST[name]
    # kind and shape before the MD5: who has another data set in this form should read which
    header = 4 + 4 * len(file.shape)
    magic = int.from_bytes(content[:4], "big")
    if len(content) < header or magic != file.magic:
        got = f"{magic}" if len(content) >= header else f"only {len(content)} bytes"
        raise UsageError(f"expected the IDX magic number {file.magic}, got {got}")
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    if shape != file.shape:
        raise UsageError(f"expected the shape {file.shape}, got {shape}: this is another data set")
    if len(content) != file.content_bytes:
        got = "more" if len(content) > file.content_bytes else str(len(content))
        raise UsageError(f"expected {file.content_bytes} bytes of content, got {got}")
    if (found := md5(content)) != file.md5:
        raise UsageError(
            f"expected content with MD5 {file.md5}, got {found}: altered, or another data set of "
            "the same shape"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def load(base: Path, name: str) -> NDArray[np.uint8]:
    """The array in one verified file below `base`. Raises UsageError."""
    path = find(base, name)
    if path is None:
        raise UsageError(
            f"MNIST: neither {name} nor {name}.gz is in {base / 'MNIST' / 'raw'}; {CURE}"
        )
    most = MNIST[name].content_bytes
    try:
        with path.open("rb") as stream:
            return parse(
                name, inflate(stream, most) if path.suffix == ".gz" else stream.read(most + 1)
            )
    except OSError as error:
        raise UsageError(f"MNIST: {path} cannot be read: {error.strerror or error}") from error
    except UsageError as error:
        raise UsageError(f"MNIST: {path}: {error}; {CURE}") from error


read = cache(load)


def fingerprint() -> dict[str, str]:
    """MD5 of the content by file name, for a run's identity. Raises UsageError for other files."""
    base = root()
    for name in MNIST:
        read(base, name)
    return {name: file.md5 for name, file in MNIST.items()}
