"""Weights of single networks: where their files lie, and how they come into a network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.errors import UsageError, format_error
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


def read(what: str, path: Path) -> dict[str, Tensor]:
    """A file of tensors by name. Nothing in it is executed. Raises UsageError."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, one of a module not to be imported here
        why = format_error(error).partition(". ")[0][:200]  # torch goes on with bad advice
        raise UsageError(f"{what}: {path} cannot be read as tensors: {why}") from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping):
        raise UsageError(
            f"{what}: {path} cannot be read as tensors: it holds a {type(found).__name__}"
        )
    # what weights_only lets through differs by version: torch 2.14 loads classes of exceptions
    other = next((name for name, value in found.items() if not isinstance(value, Tensor)), None)
    if other is not None:
        raise UsageError(
            f"{what}: {path} cannot be read as tensors: {other!r} is a "
            f"{type(found[other]).__name__}"
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


def fill(
    what: str,
    network: nn.Module,
    path: Path,
    exact: bool = True,
    called: Callable[[str], str] = str,
) -> None:
    """Give every parameter of a network its value, in float32; it may lie on the meta device.

    exact: the file may hold nothing else.  called: from the network's names to the file's. Raises
    UsageError with the first tensor that is unfit.
    """
    found, own = read(what, path), network.state_dict()
    wanted = {called(name): tensor for name, tensor in own.items()}
    # shapes before surplus names: another network's file should be called that
    for name, tensor in wanted.items():
        if name not in found and not name.endswith("num_batches_tracked"):
            raise UsageError(f"{what}: {path} has no tensor {name}; expected {tuple(tensor.shape)}")
        if name in found and found[name].shape != tensor.shape:
            raise UsageError(
                f"{what}: {path}: {name} has shape {tuple(found[name].shape)}, expected "
                f"{tuple(tensor.shape)}: a checkpoint of another network"
            )
    if exact and (more := sorted(set(found) - set(wanted))):
        raise UsageError(
            f"{what}: {path} holds {more[0]} besides, which this network has not: a checkpoint of "
            "another network"
        )
    values = {name: found[called(name)] for name in own if called(name) in found}
    floats = {name: v.float() if v.is_floating_point() else v for name, v in values.items()}
    # assign: a tensor on the meta device has no memory to copy into
    network.load_state_dict(floats, strict=False, assign=True)
    sound(f"{what}: {path}", network)


def sound(what: str, network: nn.Module) -> None:
    """Raises UsageError with the first tensor that has no value from a file, or holds nan or inf.

    Every network of a preset is checked here.
    """
    for name, tensor in network.state_dict().items():
        if tensor.is_meta:
            raise UsageError(
                f"{what} has no tensor {name}; expected {tuple(tensor.shape)}: the weights of "
                "another network"
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UsageError(
                f"{what}: its tensor {name} holds nan or inf: a damaged file, or a training that "
                "diverged; get another"
            )


def pickled(folder: Path, how: str) -> str:
    """A hint for a folder with weights in torch's own format, which is not read here, or ""."""
    found = sorted(p.name for p in folder.glob("*.bin"))
    return f" (expected safetensors, got {found[0]}; convert it with {how})" if found else ""


def digest(path: Path) -> str:
    """SHA-256 of a file; remembered while size and time of change stay. Raises UsageError."""
    try:
        about = path.stat()
        return _digest(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise UsageError(
            f"weights: expected a file that can be read, got {path}; {error}"
        ) from error


# a reference may be a folder of many pictures
@lru_cache(maxsize=2**17)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
