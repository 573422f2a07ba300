"""The tiny autoencoder that decodes the look-ahead, where the options name one.

It has no `load`: `Diffusion` holds it, so it is loaded with the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.files.download import HubFolder
from tasks.files.weights import place
from tasks.reward_ft.folder import PINNED, choose_tiny, find, hub_id, tiny_files


@dataclass(frozen=True)
class TaesdPart:
    """name: a folder, a hub id, or "" for none."""

    name: str

    @property
    def shipped(self) -> bool:
        return False

    def check(self) -> None:
        """Nothing: it goes with every model of four latent channels."""

    def folder(self) -> Path | None:
        """None where the options name none. Raises UsageError for one that is not there."""
        if not self.name:
            return None
        return find(self.name, get=f" --set reward_ft.taesd={self.name}", first="config.json")

    def files(self) -> Mapping[str, Path]:
        folder = self.folder()
        found = tiny_files(folder) if folder else {}
        return {f"taesd/{name}": path for name, path in found.items()}

    def digests(self) -> Mapping[str, str]:
        return {}

    def sources(self) -> Iterable[HubFolder]:
        if self.name and not os.path.isdir(place(self.name)):
            yield HubFolder(hub_id(self.name), PINNED.get(self.name, ""), choose_tiny)
