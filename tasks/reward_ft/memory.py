"""How much memory a run will take: one guided step of the run's own code, without content."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from benchmark.errors import UsageError, format_error
from tasks.reward_ft import tracing
from tasks.reward_ft.assemble import Parts
from tasks.reward_ft.diffusion import Diffusion
from tasks.reward_ft.folder import files, read_json
from tasks.reward_ft.form import Form
from tasks.reward_ft.guidance import Mode, Sampler
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.schedulers import quiet, scheduler
from tasks.reward_ft.steps import Schedule

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

LOG = logging.getLogger("benchmark")
# what an allocator and the kernels' work space add, with channels_last also copies:
# speed/full_size.py
_MARGIN, _CHANNELS_LAST = 1.1, 1.35
# bytes: the libraries themselves, a device's context
_FIXED = 2**30


def estimate(options: RewardFt, device: str) -> int:
    """Bytes at the peak of a run on the device; 0, with a warning, where torch cannot be traced.

    Raises UsageError for a model that is not there.
    """
    quiet()
    parts = Parts.of(options)
    folder = parts.model.folder()
    if fault := tracing.fault():
        LOG.warning(
            "reward_ft: the memory of a run is not known, so nothing checks that it fits: torch %s "
            "cannot be traced (%s)",
            torch.__version__,
            fault,
        )
        return 0
    # what the libraries log of a network that cannot be made is in the one line below
    logging.disable(logging.CRITICAL)
    try:
        return _estimate(options, parts, folder, device)
    except UsageError:
        raise
    except Exception as error:
        reason = format_error(error)[:300]
        raise UsageError(
            f"model {folder}: its configuration does not make a network: {reason}"
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def _estimate(o: RewardFt, parts: Parts, folder: Path, device: str) -> int:
    batch = min(o.micro_batch, max(o.images, o.test_images, o.bank))
    ddim = scheduler(folder)
    schedule = Schedule.of(ddim, o.steps, o.eta, o.sampler)
    # on the meta device nothing is initialised, so gigabytes are made in no time
    with torch.device("meta"):
        model = _skeleton(parts.form(), folder, ddim)
    with tracing.traced() as live:
        for part in model.networks:
            _fake(part)
        weights, live.peak = live.now, live.now
        pixels = _guided_step(o, model, schedule, batch)
    text = sum(
        p.stat().st_size
        for name, p in files(folder, o.variant).items()
        if name.startswith("text_encoder/")
    )
    others = sum(
        path.stat().st_size
        for part in (parts.clip, *parts.rewards, parts.judge)
        for path in part.files().values()
    )
    # images of the last pass and of this one, and slopes; they are kept off a GPU
    count = max(o.bank, o.images, o.reference_images) + 5 * o.test_images
    images = 4 * pixels * count if device == "cpu" else 0
    margin = _CHANNELS_LAST if o.channels_last else _MARGIN
    return int(weights + margin * (live.peak - weights) + text + others + images + _FIXED)


def _fake(network: nn.Module) -> None:
    """Replace weights and buffers by fake CPU tensors of the same shape."""
    # on the meta device attention would take another path, which needs more memory
    for module in network.modules():
        for name, tensor in list(module.named_parameters(recurse=False)):
            empty = torch.empty(tensor.shape, dtype=tensor.dtype)
            setattr(module, name, nn.Parameter(empty, requires_grad=False))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def _made(kind: str, path: Path) -> Any:
    import diffusers

    return getattr(diffusers, kind).from_config(read_json(path))


def _skeleton(form: Form, folder: Path, ddim: Any) -> Diffusion:
    """The networks of the folder's configuration, without weights."""
    pipe = SimpleNamespace(
        unet=_made("UNet2DConditionModel", folder / "unet" / "config.json"),
        vae=_made("AutoencoderKL", folder / "vae" / "config.json"),
        text_encoder=torch.nn.Identity(),
        scheduler=ddim,
    )
    tiny = _made("AutoencoderTiny", form.taesd / "config.json") if form.taesd else None
    return Diffusion(pipe, "meta", form, tiny)


def _guided_step(o: RewardFt, model: Diffusion, schedule: Schedule, batch: int) -> int:
    """Returns the numbers in one image."""
    sampler = Sampler(model, schedule, "", o.cfg, cast(Mode, o.mode), o.target, o.guidance, batch)
    side = model.latent_shape[-1] * model.scale
    z, text = torch.zeros(batch, *model.latent_shape), torch.zeros(2, 77, model.words)
    reward = Linear(torch.zeros(batch, 3, side, side), torch.zeros(batch))
    sampler.guided_eps(schedule.guided.index(True), z, text, reward, 1.0)
    with torch.no_grad():
        model.decode(z)
    return 3 * side * side
