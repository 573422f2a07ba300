"""From the options of reward_ft to its networks. A preset is a set of option values: every one of them comes this way."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.protocol import Prices
from tasks import inception
from tasks.download import HubFolder, Source
from tasks.metrics import Moments, frechet, frechet_passport
from tasks.reward_ft import EMBEDDED, PAPER_PROMPTS, clips, digits, embedded, pictures, references
from tasks.reward_ft.folder import PINNED, choose, choose_tiny, files, find, hub_id, tiny_files
from tasks.reward_ft.pipeline import Diffusion, Form, load, scheduler
from tasks.reward_ft.references import Extractor
from tasks.reward_ft.rewards import ClipCosine, reward_files, reward_kind, reward_source
from tasks.reward_ft.steps import Schedule
from tasks.weights import digest, place

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

LOG = logging.getLogger("benchmark")
UNGUIDED = "unguided"
_CLIP_OPTION = "reward_ft.clip"


@dataclass(frozen=True)
class Measured:
    """Figures of some images for one prompt, with the passport of the Frechet distance."""

    metrics: Mapping[str, float]
    passport: Mapping[str, str]


@dataclass(frozen=True)
class Networks:
    """All that reward_ft needs of a preset. r1, r2: rewards for the prompt; measure: held-out figures of images, given
    a way to sample so many unguided images for reference; real: so many real pictures of the prompt, where there are any.
    """

    diffusion: Diffusion
    r1: Callable[[Tensor], Tensor]
    r2: Callable[[Tensor], Tensor]
    measure: Callable[[Tensor, Callable[[int], Tensor]], Measured]
    real: Callable[[int], Tensor] | None = None


def form(options: RewardFt) -> Form:
    """How the options want the model to be held."""
    o = options
    taesd = tiny_folder(o.taesd) if o.taesd else None
    return Form(o.variant, o.dtype, o.decode_dtype, o.size, o.checkpointing, o.channels_last, o.compile, taesd)


def model_folder(options: RewardFt) -> Path:
    """Raises UsageError for a model that is not there."""
    o = options
    if not o.model:
        return o.folder / "model"
    given = "".join(f" --set reward_ft.{name}={v}" for name in ("revision", "variant") if (v := getattr(o, name)))
    return find(o.model, o.revision, f" --model {o.model}{given}")


def tiny_folder(taesd: str) -> Path:
    """Raises UsageError for a tiny autoencoder that is not there."""
    return find(taesd, get=f" --set reward_ft.taesd={taesd}", first="config.json")


def fingerprint(options: RewardFt) -> dict[str, str]:
    """SHA-256 by name of every file that decides the numbers. Raises UsageError for what is missing, altered or unfit."""
    o = options
    _check(o)
    embedded.verify(o.folder)
    if not o.uses_other:
        return embedded.manifest(o.folder)
    found: dict[str, Path] = {}
    if o.model:
        found |= {f"model/{name}": path for name, path in files(model_folder(o), o.variant).items()}
        _schedule(o)
    if o.taesd:
        found |= {f"taesd/{name}": path for name, path in tiny_files(tiny_folder(o.taesd)).items()}
    found |= other_files(o)
    hashes = {name: digest(path) for name, path in found.items()} | reward_source(o.reward)
    if o.features == "inception" and o.reference not in ("", UNGUIDED):
        hashes["reference"] = references.reference_digest(o.reference)
    needed = not (o.model and o.clip and o.reward not in EMBEDDED and o.features == "inception")
    return hashes | (embedded.manifest(o.folder) if needed else {})


def other_files(options: RewardFt) -> dict[str, Path]:
    """The files of rewards and measurements that are not the shipped ones, by name. Raises UsageError."""
    o = options
    found: dict[str, Path] = {}
    if o.clip:
        found |= {f"clip/{name}": path for name, path in clips.files(o.clip, _CLIP_OPTION).items()}
    if o.reward not in EMBEDDED:
        found |= {f"{o.reward}/{name}": path for name, path in reward_files(o.reward, o.reward_weights).items()}
    if o.features == "inception":
        found["inception"] = inception.file(o.inception, "reward_ft.inception")
    return found


def sources(options: RewardFt) -> list[Source]:
    """Where everything is published that the options do not name as a file or a folder. Raises UsageError."""
    o = options
    _check(o)
    found: list[Source] = []
    for name, revision, pick in ((o.model, o.revision, partial(choose, variant=o.variant)), (o.taesd, "", choose_tiny)):
        if name and not os.path.isdir(place(name)):
            found.append(HubFolder(hub_id(name), revision or PINNED.get(name, ""), pick))
    if o.clip and not os.path.isdir(place(o.clip)):
        found.append(clips.source(o.clip))
    if o.reward not in EMBEDDED and not o.reward_weights:
        found += reward_kind(o.reward).sources()
    if o.features == "inception" and not o.inception:
        found.append(inception.SOURCE)
    return found


def _check(o: RewardFt) -> None:
    """Options that do not go together. Raises UsageError."""
    if o.reward not in EMBEDDED:
        reward_kind(o.reward)
    if o.features == "judge" and (o.model or o.reference):
        what = "model" if o.model else "reference"
        raise UsageError(
            f"option reward_ft.{what}: the judge of the embedded preset knows coloured digits alone, got {getattr(o, what)!r}; "
            "set reward_ft.features=inception, or take --preset paper"
        )


def prompts(options: RewardFt) -> tuple[str, ...]:
    """The default prompts of the options' model."""
    return PAPER_PROMPTS if options.model else embedded.PROMPTS


def prices(options: RewardFt, lower: str) -> Prices:
    """Network evaluations of each request, without loading a network. Raises UsageError for a model that is not there."""
    o = options
    if lower == "importance":
        return Prices(2 * o.bank * o.steps, 0, 0, 0, 0, 0, horizon=1)
    guided = sum(_schedule(o).guided)
    step = 2 * o.images * (3 * guided + o.steps - guided)
    return Prices(2 * o.images * o.steps, step, 0, 0, step, 0, horizon=o.passes - 1)


def _schedule(o: RewardFt) -> Schedule:
    """The options' time steps. Raises UsageError for what cannot be sampled or not be guided."""
    found = Schedule.of(scheduler(model_folder(o)), o.steps, o.eta)
    if not any(found.guided):
        raise UsageError(
            f"option reward_ft.steps: {o.steps} of this model's scheduler have no step that can be guided: the first starts "
            "from noise alone (zero terminal SNR), the last adds none; take 3 or more"
        )
    return found


def networks(options: RewardFt, prompt: str, device: str) -> Networks:
    """Load everything for one prompt. Raises UsageError for damaged or missing files."""
    o = options
    _check(o)
    embedded.verify(o.folder)
    diffusion = load(model_folder(o), device, form(o))
    for remark in diffusion.remarks:
        LOG.warning(remark)
    clip = _clip(o.clip, device) if o.clip else embedded.clip(o.folder, device)
    r2: Callable[[Tensor], Tensor]
    if o.reward in EMBEDDED:
        r2 = embedded.reward(o.folder, o.reward, device)
    else:
        kind = reward_kind(o.reward)
        r2 = kind(reward_files(o.reward, o.reward_weights), prompt, torch.device(device))
    if o.features == "inception":
        return Networks(diffusion, clip.of(prompt), r2, _inception_measure(o, prompt, device))
    real = partial(embedded.real, prompt)
    return Networks(diffusion, clip.of(prompt), r2, _judge_measure(o, prompt, device), real)


@lru_cache(maxsize=1)
def _clip(spec: str, device: str) -> ClipCosine:
    model, tokenize = clips.load(spec, _CLIP_OPTION)
    return ClipCosine(model, tokenize, torch.device(device))


def _judge_measure(o: RewardFt, prompt: str, device: str) -> Callable[[Tensor, Callable[[int], Tensor]], Measured]:
    judge, caption = embedded.judge(o.folder, device), digits.parse(prompt)
    wanted = torch.tensor([caption.digit, caption.ink, caption.ground], device=device)
    reference = embedded.reference(o.folder, device, prompt)
    extractor = f"judge {embedded.manifest(o.folder)['judge.safetensors'][:12]}"

    def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
        choices, features = embedded.judged(judge, images.to(device))
        table = features.cpu().numpy()
        right = (choices == wanted).all(1).float().mean()
        passport = frechet_passport(table, reference, extractor, "none, 32x32")
        return Measured({"fid": frechet(table, reference), "accuracy": float(np.float64(right))}, passport)

    return measure


def _inception_measure(o: RewardFt, prompt: str, device: str) -> Callable[[Tensor, Callable[[int], Tensor]], Measured]:
    extractor = Extractor(inception.file(o.inception, "reward_ft.inception"), device)
    unguided = o.reference in ("", UNGUIDED)
    if not unguided and (folder := place(o.reference)).is_dir():
        pictures.note(folder)
    kept = [] if unguided else [references.moments(o.reference, extractor)]  # unguided samples are drawn once a run

    def measure(images: Tensor, sample: Callable[[int], Tensor]) -> Measured:
        if not kept:
            kept.append(Moments.of(extractor(sample(o.reference_images))))
        table = extractor(images)
        passport = frechet_passport(table, kept[0], extractor.name, references.RESIZE)
        if unguided:  # sampled here, so equal up to the rounding of a machine
            passport["fid_reference"] = f"N = {o.reference_images}, unguided samples of the prompt"
        return Measured({"fid": frechet(table, kept[0])}, passport)

    return measure
