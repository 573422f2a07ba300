"""What reward_ft is made of: model, tiny autoencoder, CLIP, reward and judge, a file each.

A part reads its options once. Its `load` returns a network or a function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from tasks.files.download import Source


class Part(Protocol):
    """One part of a preset."""

    @property
    def shipped(self) -> bool:
        """Whether it uses the embedded preset's files."""

    def check(self) -> None:
        """Raise UsageError for options that do not go together, without looking for files."""

    def files(self) -> Mapping[str, Path]:
        """The files that decide its numbers, by name, but shipped ones. Raises UsageError."""

    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of what decides its numbers besides files. Raises UsageError."""

    def sources(self) -> Iterable[Source]:
        """What `bench fetch` downloads for it; none for the user's own files. Raises UsageError."""
