"""Coloured handwritten digits in words, which are all that the embedded preset knows."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.errors import UsageError, suggest

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
FILLERS = ("a", "on", "background")
WORDS = (*FILLERS, *WEIGHTS, *INKS, *DIGITS, *GROUNDS)


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


def held_out(caption: Caption) -> bool:
    """Whether the generator never saw this digit in these colours (one combination in six)."""
    return (caption.digit + caption.ink + 2 * caption.ground) % 6 == 0
