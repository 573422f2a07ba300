"""Files of weights: where they lie on this machine, and their hashes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.hashed import digest as content_digest
from tasks.files import idx

FETCH = "bench fetch --preset paper"


@dataclass(frozen=True)
class OnHub:
    """A file of a model hub repository, looked for in the hub's cache."""

    repo: str
    name: str

    def find(self) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, self.name)
        return Path(found) if isinstance(found, str) else None

    @property
    def place(self) -> str:
        from huggingface_hub import constants

        return f"{self.repo}/{self.name} in the hub's cache {constants.HF_HUB_CACHE}"


@dataclass(frozen=True)
class OnWeb:
    """A file of the web, looked for in $TORCH_HOME/hub/checkpoints and in the folder of data sets.

    The same weights as .safetensors will do as well.
    """

    url: str
    licence: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """Where `bench fetch` puts it."""
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints" / self.name

    @property
    def paths(self) -> tuple[Path, ...]:
        data = os.environ.get(idx.VARIABLE)
        folders = [self.path.parent, *([Path(data)] if data else [])]
        return tuple(
            f / name for f in folders for name in (self.name, Path(self.name).stem + ".safetensors")
        )

    def find(self) -> Path | None:
        # unlike Path.is_file never an OSError
        return next((p for p in self.paths if os.path.isfile(p)), None)

    @property
    def place(self) -> str:
        return str(self.path)


def place(text: str) -> Path:
    """A path as a user writes it, ~ and all."""
    return Path(os.path.expanduser(text))  # unlike Path.expanduser never an error


def locate(what: str, source: OnHub | OnWeb, option: str = "", choice: str = "") -> Path:
    """The file on this machine. Raises UsageError: a run never uses the network.

    option: what else may name the file.  choice: the setting that asks for it, if no preset does.
    """
    found = source.find()
    if found is None:
        other = f", or name a copy with --set {option}=" if option else ""
        asked = f" --set {choice}" if choice else ""
        raise UsageError(
            f"{what}: {source.place} is missing, and a run never uses the network; get it with "
            f"`{FETCH}{asked}`{other}"
        )
    return found


def in_folder(
    what: str, wanted: Mapping[str, OnHub], folder: str, also: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """The files of a folder, by part. Raises UsageError where one is missing.

    also: other names that a part may have there.
    """
    found = {}
    for part, source in wanted.items():
        names = (source.name, *filter(None, ((also or {}).get(part),)))
        paths = [place(folder) / own for own in names]
        there = next((path for path in paths if os.path.isfile(path)), None)
        if there is None:
            raise UsageError(
                f"{what}: expected {' or '.join(names)} in the folder, got {folder!r}, which has "
                "none"
            )
        found[part] = there
    return found


def given(what: str, path: str) -> Path:
    """A file that the user named. Raises UsageError."""
    found = place(path)
    if not os.path.isfile(found):
        raise UsageError(f"{what}: expected a file of weights (.safetensors or .pth), got {path!r}")
    return found


def pickled(folder: Path, how: str) -> str:
    """A hint for a folder with weights in torch's own format, which is not read here, or ""."""
    found = sorted(p.name for p in folder.glob("*.bin"))
    return f" (expected safetensors, got {found[0]}; convert it with {how})" if found else ""


def digest(path: Path) -> str:
    """SHA-256 of a file; remembered while it stays as it is. Raises UsageError."""
    try:
        return content_digest(path)
    except OSError as error:
        raise UsageError(
            f"weights: expected a file that can be read, got {path}; {error}"
        ) from error
