"""Vega, Vega-Lite and Vega-Embed as one script, from the package vl-convert."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmark.store.files import write_atomic

_PACKAGE = "vl-convert-python"


@cache
def bundle() -> str:
    """Kept in the user's cache, for making it takes seconds. Raises ImportError without it."""
    kept = _folder() / f"vega-embed-{version(_PACKAGE)}.js"
    with suppress(OSError, UnicodeDecodeError):
        if text := kept.read_text(encoding="utf-8"):
            return text
    import vl_convert

    text = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    # where nothing can be kept it is made anew each time
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, text)
    return text


def _folder() -> Path:
    """As the XDG Base Directory Specification has it."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "diffusion-hpo-bench"
