"""From the options of `sampling` to its parts and files; every preset comes this way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.errors import UsageError
from tasks.files.download import Source
from tasks.files.weights import digest, place
from tasks.measure import inception
from tasks.reward_ft import references, shipped
from tasks.reward_ft.form import Form
from tasks.reward_ft.parts.clip import ClipPart
from tasks.reward_ft.parts.model import ModelPart
from tasks.sampling import captions
from tasks.sampling.plan import TRAINED

if TYPE_CHECKING:
    from tasks.sampling import SamplingMaker

_INCEPTION = "sampling.inception"
_STEPS = 10


@contextmanager
def named() -> Iterator[None]:
    """Errors of reward_ft's parts with the options of this task, which have the same names."""
    try:
        yield
    except UsageError as error:
        text = str(error).replace("reward_ft.", "sampling.")
        raise UsageError(
            text.replace("fetch --preset", "fetch --task sampling --preset")
        ) from error


@dataclass(frozen=True)
class SamplingParts:
    """The parts that reward_ft has too."""

    model: ModelPart
    clip: ClipPart

    @classmethod
    def of(cls, o: SamplingMaker) -> SamplingParts:
        form = Form(o.variant, o.dtype, o.decode_dtype, o.size)
        # how reward_ft samples, which no plan uses; enough steps for any scheduler
        model = ModelPart(o.model, o.revision, form, _STEPS, 0.0, "ddim", o.folder)
        return cls(model, ClipPart(o.clip, o.folder))


def fingerprint(o: SamplingMaker) -> dict[str, str]:
    """SHA-256 by name of all that decides the numbers. Raises UsageError."""
    parts = SamplingParts.of(o)
    shipped.verify(o.folder)
    with named():
        return _hashes(o, parts)


def _hashes(o: SamplingMaker, parts: SamplingParts) -> dict[str, str]:
    # all files before the first hash
    files = {**parts.model.files(), **parts.clip.files()}
    if o.prompts_file:
        captions.prompts(o, "test")
        files["prompts"] = place(o.prompts_file)
    if o.reference:
        files["inception"] = inception.file(o.inception, _INCEPTION)
    _check_times(parts.model)
    hashes = {name: digest(path) for name, path in files.items()}
    if o.reference:
        hashes["reference"] = references.reference_digest(o.reference)
    return hashes | shipped.manifest(o.folder)


def _check_times(model: ModelPart) -> None:
    if (trained := model.trained) != TRAINED:
        raise UsageError(
            f"option sampling.model: expected a model trained with {TRAINED} time steps, got "
            f"{trained}"
        )


def sources(o: SamplingMaker) -> list[Source]:
    """Where everything is published that is no file or folder of the user's. Raises UsageError."""
    parts = SamplingParts.of(o)
    found: list[Source] = [*parts.model.sources(), *parts.clip.sources()]
    if o.reference and not o.inception:
        found.append(inception.SOURCE)
    return found
