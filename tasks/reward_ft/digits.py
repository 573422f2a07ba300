"""Coloured handwritten digits, which are all that the embedded preset knows.

Source of the scans: scikit-learn's copy of the UCI optical digits test set, 1,797 scans of 8x8
pixels. A picture is a scan, enlarged to 32x32, with a stroke weight, an ink and a ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UsageError, suggest
from tasks.files import data

SIZE = 32
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
INKS = {
    "red": (0.86, 0.10, 0.12),
    "orange": (0.96, 0.52, 0.08),
    "green": (0.08, 0.60, 0.20),
    "blue": (0.12, 0.20, 0.82),
    "purple": (0.50, 0.12, 0.62),
    "black": (0.08, 0.08, 0.10),
}
GROUNDS = {
    "white": (0.96, 0.96, 0.96),
    "yellow": (0.95, 0.90, 0.42),
    "gray": (0.66, 0.66, 0.66),
    "cyan": (0.60, 0.92, 0.94),
}
WEIGHTS = {"thin": (0.0, 0.25), "regular": (0.25, 0.5), "bold": (0.5, 0.72), "heavy": (0.72, 1.0)}
# Beta: mean 0.4, standard deviation 0.2, so "bold" lies one deviation above the mean
WEIGHT_PRIOR = (2.0, 3.0)
FILLERS = ("a", "on", "background")
WORDS = (*FILLERS, *WEIGHTS, *INKS, *DIGITS, *GROUNDS)

Split = data.Split
scans = data.digits


@dataclass(frozen=True)
class Caption:
    """A prompt, read. digit, ink, ground: indices into their tables.  weight: None if not named."""

    digit: int
    ink: int
    ground: int
    weight: str | None = None

    def __str__(self) -> str:
        words = [
            "a",
            self.weight,
            list(INKS)[self.ink],
            DIGITS[self.digit],
            "on",
            "a",
            list(GROUNDS)[self.ground],
        ]
        return " ".join(w for w in words if w) + " background"


def parse(prompt: str) -> Caption:
    """Read a prompt such as "a bold red seven on a white background".

    Raises UsageError for unknown words, and for a digit or colour that is missing or named twice.
    """
    words = prompt.lower().split()
    for word in words:
        if word not in WORDS:
            raise UsageError(
                f"prompt {prompt!r}: unknown word {word!r}{suggest(word, WORDS)}; the embedded "
                "model knows: " + " ".join(WORDS)
            )
    named = {
        kind: [names.index(w) for w in words if w in names]
        for kind, names in (("digit", DIGITS), ("ink", tuple(INKS)), ("ground", tuple(GROUNDS)))
    }
    for kind, indices in named.items():
        if len(indices) != 1:
            raise UsageError(
                f"prompt {prompt!r}: expected exactly one {kind}, got {len(indices)}; "
                "write for example 'a bold red seven on a white background'"
            )
    weights = [w for w in words if w in WEIGHTS]
    if len(weights) > 1:
        raise UsageError(
            f"prompt {prompt!r}: expected at most one of {', '.join(WEIGHTS)}, got {len(weights)}"
        )
    (digit,), (ink,), (ground,) = named.values()
    return Caption(digit, ink, ground, weights[0] if weights else None)


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


def held_out(caption: Caption) -> bool:
    """Whether the generator never saw this digit in these colours (one combination in six)."""
    return (caption.digit + caption.ink + 2 * caption.ground) % 6 == 0
