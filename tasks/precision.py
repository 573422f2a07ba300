"""float32 that is float32."""

from __future__ import annotations

import torch


def exact(device: str) -> None:
    """On a GPU: no TF32, which torch takes for convolutions unless told not to, and the same sum each time."""
    if device.startswith("cuda"):
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
