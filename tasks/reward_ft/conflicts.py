"""Lower rewards of the embedded preset that pull away from the prompt, or hang together.

`other_*`: how much more a picture looks like a neighbouring prompt than like its own. `head_*`:
more random heads on the body of `quality`. Their scales are as in `attributes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from tasks.reward_ft import digits, embedded
from tasks.reward_ft.scorers import Standardised

# mean and deviation; of `other_*` three deviations, for at one the gradient of the small CLIP leads
# guided images to where no image of the bank is: with `other_ink` alone at lam = 1 CLIP score 86.3
# where the bank has 91.7 (once, 48 images of the third prompt, mode=direct)
_SCALES = {
    "other_digit": (-0.5225, 3 * 0.04403),
    "other_ink": (-0.3636, 3 * 0.03252),
    "other_ground": (-0.3385, 3 * 0.02425),
    "head_2": (-0.5115, 0.05322),
    "head_3": (0.3259, 0.1382),
    "head_4": (-0.009706, 0.05202),
}
_SIZES = {"digit": len(digits.DIGITS), "ink": len(digits.INKS), "ground": len(digits.GROUNDS)}
NAMES = tuple(_SCALES)


def score(name: str, folder: Path, device: str, prompt: str) -> Callable[[Tensor], Tensor]:
    """One of _SCALES before it is scaled. Raises UsageError for a prompt that cannot be read."""
    kind, _, which = name.partition("_")
    if kind == "head":
        return embedded.head_of(folder, device, 10 + int(which))
    own = digits.parse(prompt)
    other = replace(own, **{which: (getattr(own, which) + 1) % _SIZES[which]})
    clip = embedded.clip(folder, device)
    to_other, to_own = clip.of(str(other)), clip.of(str(own))
    return lambda images: to_other(images) - to_own(images)


def _scaled(name: str, folder: Path, device: str, prompt: str) -> Standardised:
    """folder: of the embedded preset's files."""
    return Standardised(score(name, folder, device, prompt), *_SCALES[name])


def other_digit(folder: Path, device: str, prompt: str = "") -> Standardised:
    """How much more a picture looks like the next digit than like the prompt's."""
    return _scaled("other_digit", folder, device, prompt)


def other_ink(folder: Path, device: str, prompt: str = "") -> Standardised:
    """How much more a picture looks like the next ink than like the prompt's."""
    return _scaled("other_ink", folder, device, prompt)


def other_ground(folder: Path, device: str, prompt: str = "") -> Standardised:
    """How much more a picture looks like the next ground than like the prompt's."""
    return _scaled("other_ground", folder, device, prompt)


def head_2(folder: Path, device: str, prompt: str = "") -> Standardised:
    """Another random head on the body of `quality`."""
    return _scaled("head_2", folder, device, prompt)


def head_3(folder: Path, device: str, prompt: str = "") -> Standardised:
    """Another random head on the body of `quality`."""
    return _scaled("head_3", folder, device, prompt)


def head_4(folder: Path, device: str, prompt: str = "") -> Standardised:
    """Another random head on the body of `quality`."""
    return _scaled("head_4", folder, device, prompt)
