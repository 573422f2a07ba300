"""Pictures of coloured handwritten digits.

Source of the scans: scikit-learn's copy of the UCI optical digits test set, 1,797 scans of 8x8
pixels. A picture is a scan, enlarged to 32x32, with a stroke weight, an ink and a ground.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tasks.files import data
from tasks.reward_ft.digits import GROUNDS, INKS, WEIGHTS, Caption

SIZE = 32
# Beta: mean 0.4, standard deviation 0.2, so "bold" lies one deviation above the mean
WEIGHT_PRIOR = (2.0, 3.0)

Split = data.Split
scans = data.digits


def draw(
    scan: Tensor, weight: Tensor, ink: Tensor, ground: Tensor, generator: torch.Generator
) -> Tensor:
    """Pictures (N, 3, 32, 32) in [0, 1] of scans (N, 1, 8, 8), in random pose and shades.

    weight: (N,) in [0, 1]; strokes cover 2**(2 weight - 1) times the area of the scan's.
    ink, ground: (N,) indices into INKS and GROUNDS.
    """
    n = len(scan)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    angle, shear = uniform(-0.14, 0.14), uniform(-0.15, 0.15)
    zoom = uniform(1.02, 1.22)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    move = uniform(-0.08, 0.08, 2)
    theta = torch.stack(
        [torch.stack([cos, -sin + shear, move[:, 0]], 1), torch.stack([sin, cos, move[:, 1]], 1)], 1
    )
    grid = torch.nn.functional.affine_grid(theta, [n, 1, SIZE, SIZE], align_corners=False)
    strokes = torch.nn.functional.grid_sample(
        scan, grid, mode="bicubic", align_corners=False
    ).clamp(0, 1)
    # the threshold is a rank, so the strokes get just the area that the weight asks for
    area = (strokes > 0.5).float().mean((1, 2, 3)) * 2 ** (2 * weight - 1)
    ranked = strokes.flatten(1).sort(1, descending=True).values
    threshold = ranked.gather(1, (area * SIZE**2).long().clamp(1, SIZE**2 - 1)[:, None])
    mask = torch.sigmoid((strokes - threshold[:, :, None, None].clamp(min=0.15)) / 0.05)
    inks, grounds = torch.tensor(list(INKS.values())), torch.tensor(list(GROUNDS.values()))
    front = (inks[ink] + uniform(-0.06, 0.06, 3))[:, :, None, None]
    back = (grounds[ground] + uniform(-0.04, 0.04, 3))[:, :, None, None]
    return (mask * front + (1 - mask) * back).clamp(0, 1)


def prior_weight(n: int, rng: np.random.Generator) -> Tensor:
    """Stroke weights (n,) as they occur in the generator's training pictures."""
    return torch.from_numpy(rng.beta(*WEIGHT_PRIOR, n)).float()


def real(caption: Caption, n: int, seed: int, split: Split = "test") -> Tensor:
    """Real pictures (n, 3, 32, 32) in [0, 1] with the caption's digit, colours and weight."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    images, labels = scans(split)
    mine = images[labels == caption.digit]
    chosen = mine[torch.from_numpy(rng.integers(0, len(mine), n))]
    # a named weight counts: pictures of every weight would punish what the prompt asks for
    if caption.weight is None:
        weight = prior_weight(n, rng)
    else:
        weight = torch.from_numpy(rng.uniform(*WEIGHTS[caption.weight], n)).float()
    full = torch.full((n,), 0)
    return draw(chosen, weight, full + caption.ink, full + caption.ground, generator)
