"""From the options of `sampling` to a task that is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.precision import exact
from tasks.reward_ft import shipped
from tasks.reward_ft.guidance import advised
from tasks.sampling import captions
from tasks.sampling.assemble import SamplingParts, named
from tasks.sampling.scores import Judging, digits_judging, inception_judging
from tasks.sampling.task import SamplingTask

if TYPE_CHECKING:
    from tasks.sampling import SamplingMaker


def _judging(o: SamplingMaker, parts: SamplingParts, device: str) -> Judging:
    clip = parts.clip.network(device)
    if o.model:
        return inception_judging(clip, o.inception, o.reference, device, parts.clip.title)
    texts: Mapping[captions.Half, tuple[str, ...]] = {
        "search": captions.prompts(o, "search"),
        "test": captions.prompts(o, "test"),
    }
    return digits_judging(clip, o.folder, device, texts, parts.clip.title)


def opened(o: SamplingMaker, seed: int, device: str) -> SamplingTask:
    """Raises UsageError for files that are missing or damaged."""
    exact(device)
    shipped.verify(o.folder)
    parts = SamplingParts.of(o)
    with advised(), named():
        model = parts.model.load(device, None)
        return SamplingTask(o, model, _judging(o, parts, device), seed)
