"""How much memory a run will take: one guided step on tensors without content, by the code that the run itself uses."""

from __future__ import annotations

import logging
import weakref
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmark.errors import UsageError, one_line
from tasks.reward_ft import assemble
from tasks.reward_ft.folder import files, read_json
from tasks.reward_ft.guidance import Linear, Mode, Sampler
from tasks.reward_ft.pipeline import Diffusion, quiet, scheduler
from tasks.reward_ft.steps import Schedule

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

# what an allocator and the kernels' work space add, with channels_last also copies: benchmarks/full_size.py
_MARGIN, _CHANNELS_LAST = 1.1, 1.35
_FIXED = 2**30  # bytes: the libraries themselves, a device's context


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all tensors that are made while this is on and are still alive: now, and at the peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def _gone(self, key: int, size: int, _: object) -> None:
        self._known.pop(key, None)
        self.now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self._known:
                    self._known[key] = weakref.ref(storage, partial(self._gone, key, size))
                    self.now += size
                    self.peak = max(self.peak, self.now)
        return out


def estimate(options: RewardFt, device: str) -> int:
    """Bytes at the peak of a run on the device. Raises UsageError for a model that is not there."""
    quiet()
    folder = assemble.model_folder(options)
    logging.disable(logging.CRITICAL)  # what torch has to say of a network that cannot be is said below in one line
    try:
        return _estimate(options, folder, device)
    except UsageError:
        raise
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")[:300]
        raise UsageError(f"model {folder}: its configuration does not make a network: {said}") from error
    finally:
        logging.disable(logging.NOTSET)


def _estimate(o: RewardFt, folder: Path, device: str) -> int:
    batch = min(o.micro_batch, max(o.images, o.test_images, o.bank))
    ddim = scheduler(folder)
    schedule = Schedule.of(ddim, o.steps, o.eta)
    with torch.device("meta"):
        model = _skeleton(o, folder, ddim)
    with FakeTensorMode(), _Live() as live:
        for part in model.networks:
            _fake(part)
        weights, live.peak = live.now, live.now
        pixels = _guided_step(o, model, schedule, batch)
    text = sum(p.stat().st_size for name, p in files(folder, o.variant).items() if name.startswith("text_encoder/"))
    others = sum(path.stat().st_size for path in assemble.other_files(o).values())
    kept = max(o.bank, o.images, o.reference_images) + 5 * o.test_images  # of the last pass, of this one, slopes
    images = 4 * pixels * kept if device == "cpu" else 0
    margin = _CHANNELS_LAST if o.channels_last else _MARGIN
    return int(weights + margin * (live.peak - weights) + text + others + images + _FIXED)


def _fake(network: nn.Module) -> None:
    """Weights without content, as on a CPU: on the meta device attention would take another way, which needs more memory."""
    for module in network.modules():
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    table[name] = nn.Parameter(torch.empty(tensor.shape, dtype=tensor.dtype), requires_grad=False)


def _made(kind: str, path: Path) -> Any:
    import diffusers

    return getattr(diffusers, kind).from_config(read_json(path))


def _skeleton(o: RewardFt, folder: Path, ddim: Any) -> Diffusion:
    """The networks of the folder's configuration, without weights."""
    pipe = SimpleNamespace(
        unet=_made("UNet2DConditionModel", folder / "unet" / "config.json"),
        vae=_made("AutoencoderKL", folder / "vae" / "config.json"),
        text_encoder=torch.nn.Identity(),
        scheduler=ddim,
    )
    tiny = _made("AutoencoderTiny", assemble.tiny_folder(o.taesd) / "config.json") if o.taesd else None
    return Diffusion(pipe, "meta", assemble.form(o), tiny)


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
