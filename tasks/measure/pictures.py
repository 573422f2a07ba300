"""Images as other metrics take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.protocol import ImagePairs

if TYPE_CHECKING:
    from torch import Tensor


def shown(images: Tensor) -> NDArray[np.float32]:
    """(N, 1 or 3, H, W) in [0, 1] to (N, H, W, 3) float32."""
    found = images.detach().clamp(0, 1).permute(0, 2, 3, 1).float().cpu().numpy()
    return np.ascontiguousarray(np.broadcast_to(found, (*found.shape[:3], 3)))


def pictures(
    made: Tensor,
    real: Callable[[], Iterable[Tensor]],
    key: str,
    prompts: Sequence[str] = (),
    device: str = "cpu",
) -> ImagePairs:
    """Of tensors as `shown` takes them.

    key: what decides which the real images are, or "" where they are this answer's own.
    """
    return ImagePairs(shown(made), lambda: map(shown, real()), key, tuple(prompts), device)


def together(each: Sequence[ImagePairs]) -> ImagePairs:
    """Those of several prompts as one."""
    return ImagePairs(
        np.concatenate([p.made for p in each]),
        lambda: (part for p in each for part in p.real()),
        repr([p.key for p in each]) if all(p.key for p in each) else "",
        tuple(text for p in each for text in p.prompts),
        each[0].device,
    )
