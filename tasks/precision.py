"""float32 that is float32."""

from __future__ import annotations

import torch


def exact(device: str) -> None:
    """On a GPU, turn TF32 off and take cuDNN's deterministic kernels; process-wide."""
    # torch's default for convolutions is TF32, three digits short: micro-batches and decoding in
    # fp32 would then change results by more than rounding
    if device.startswith("cuda"):
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
