"""How a diffusion model is held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Form:
    """How a model is held. dtype: of U-Net and text encoder; decode_dtype: of the autoencoder.

    size: pixels of a side, 0 for the model's own.  checkpointing, channels_last, compile: slower or
    faster ways to the same numbers up to rounding.  taesd: the folder of a tiny autoencoder that
    decodes the look-ahead, which changes the guidance.
    """

    variant: str = ""
    dtype: str = "fp32"
    decode_dtype: str = "fp32"
    size: int = 0
    checkpointing: bool = False
    channels_last: bool = False
    compile: bool = False
    taesd: Path | None = None


PLAIN = Form()
