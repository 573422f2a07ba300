"""The pictures of a reference folder, chosen as pytorch-fid does, and read as 8-bit pixels."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError, one_line

LOG = logging.getLogger("benchmark")
# pytorch-fid's
_ENDINGS = frozenset({".bmp", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# 65535 / 255
_SIXTEEN = 257
_THREADS = 4


def pictures(folder: Path) -> tuple[Path, ...]:
    """The folder's pictures, sorted. Raises UsageError for fewer than two, and for unreadable ones.

    Every one is decoded, so that no run fails in its final measurement.
    """
    found = tuple(
        sorted(p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS and p.is_file())
    )
    if len(found) < 2:
        raise UsageError(
            f"reference {folder}: expected a folder of at least 2 pictures "
            f"({', '.join(sorted(_ENDINGS))}), got {len(found)}"
        )
    with ThreadPoolExecutor(_THREADS) as pool:
        faults = list(pool.map(_checked, found))
    if bad := [(path.name, fault) for path, fault in zip(found, faults, strict=True) if fault]:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        names = ", ".join(name for name, _ in bad[:5])
        raise UsageError(
            f"reference {folder}: unreadable pictures: {names}{more}; {bad[0][0]}: {bad[0][1]}; "
            "remove or mend them"
        )
    return found


def passed_over(folder: Path) -> str:
    """How many of a folder's entries are no pictures, and why, or ""."""
    reasons: Counter[str] = Counter()
    endings = set()
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            reasons["dangling links"] += 1
        elif path.is_dir():
            reasons["subfolders"] += 1
        elif not path.is_file():
            reasons["special files"] += 1
        elif path.suffix.lower() not in _ENDINGS:
            reasons["other endings"] += 1
            endings.add(path.suffix or "none")
    if not reasons:
        return ""
    what = ", ".join(f"{reason}: {n}" for reason, n in sorted(reasons.items()))
    seen = f" ({', '.join(sorted(endings)[:5])})" if endings else ""
    return f"reference {folder}: {sum(reasons.values())} entries were passed over ({what}){seen}"


def pixels(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3). Raises UsageError."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return _eight_bits(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"reference {path}: unreadable picture: {one_line(str(error))}; remove or mend it"
        ) from error


def _eight_bits(picture: Any) -> NDArray[np.uint8]:
    """(H, W, 3). Raises ValueError for values whose scale is not known."""
    # Pillow's convert("RGB") clips these modes at 255 instead of scaling them
    if not picture.mode.startswith(("I", "F")):
        return np.array(picture.convert("RGB"))
    values = np.array(picture)
    if picture.mode == "F":
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(values).all() and low >= 0 and high <= 255):
            raise ValueError(
                f"floats from {low:.4g} to {high:.4g}, expected within [0, 1] or [0, 255]; save "
                "it in 8 bits"
            )
        values = values * 255 if high <= 1 else values
    elif picture.mode == "I" and picture.format not in ("PNG", "PPM"):
        raise ValueError("32 bits a channel, expected 8 or 16; save it in 8 bits")
    else:
        values = values / _SIXTEEN
    gray = np.round(values).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, 2)


def _checked(path: Path) -> str:
    try:
        about = path.stat()
    except OSError as error:
        return one_line(str(error))
    return _fault(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=2**17)
def _fault(path: Path, size: int, changed: int) -> str:
    """What keeps a picture from being read, or ""; cached while size and time of change stay."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                _eight_bits(picture)
            else:
                # a JPEG's coarsest scale: all of the file is read, little of it computed
                picture.draft("RGB", (1, 1))
                picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return one_line(str(error))[:200].replace(f" '{path}'", "")
    return ""


def note(folder: Path) -> None:
    """A note of the run where files were passed over."""
    if text := passed_over(folder):
        LOG.warning(text)
