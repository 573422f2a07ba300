"""Tensors of files: how they are read, and how they come into a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.errors import UsageError, format_error


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
