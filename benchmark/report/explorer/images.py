"""Pictures as texts of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

from benchmark.report.look import picture
from benchmark.store.seal import EARLIER, SAMPLES
from benchmark.store.stored import Stored

MOST = 2_600_000
"""Bytes of all images of runs in a page."""
_QUALITY = 82


def as_text(pixels: Any) -> str:
    """A data URI of (H, W, 3) pixels, as WebP."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"


def strips(run: Stored) -> Iterator[str | None]:
    """The images of each of a run's measurements, the last one at the end."""
    last = picture(run.folder / SAMPLES)
    if last is None:
        return
    earlier, many = picture(run.folder / EARLIER), len(run.tests) - 1
    tall = last.shape[0]
    if earlier is not None and len(earlier) == many * tall and earlier.shape[1] == last.shape[1]:
        yield from (as_text(earlier[k * tall : (k + 1) * tall]) for k in range(many))
    else:
        # a run from before they were stored
        yield from (None for _ in range(many))
    yield as_text(last)
