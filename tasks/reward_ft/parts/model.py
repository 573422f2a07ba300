"""The diffusion model: a Stable Diffusion folder, a hub id, or the shipped one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UsageError
from tasks.files.download import HubFolder
from tasks.files.weights import place
from tasks.reward_ft import shipped
from tasks.reward_ft.folder import PINNED, choose, files, find, hub_id
from tasks.reward_ft.form import Form
from tasks.reward_ft.levels import Levels, plain
from tasks.reward_ft.presets import PAPER_PROMPTS
from tasks.reward_ft.schedulers import read_config, scheduler
from tasks.reward_ft.steps import Schedule
from tasks.samplers.protocol import sampler_source, solver

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt
    from tasks.reward_ft.diffusion import Diffusion

LOG = logging.getLogger("benchmark")


@dataclass(frozen=True)
class ModelPart:
    """name: a folder, a hub id, or "" for the shipped model below `assets`.

    form: how it is held, without a tiny autoencoder.  steps, eta, sampler: how images are sampled.
    """

    name: str
    revision: str
    form: Form
    steps: int
    eta: float
    sampler: str
    assets: Path

    @classmethod
    def of(cls, o: RewardFt) -> ModelPart:
        form = Form(
            o.variant,
            o.dtype,
            o.decode_dtype,
            o.size,
            o.checkpointing,
            o.channels_last,
            o.compile,
        )
        return cls(o.model, o.revision, form, o.steps, o.eta, o.sampler, o.folder)

    @property
    def shipped(self) -> bool:
        return not self.name

    @property
    def prompts(self) -> tuple[str, ...]:
        return shipped.PROMPTS if self.shipped else PAPER_PROMPTS

    def check(self) -> None:
        """Raises UsageError for a sampler that is unknown, or cannot have this eta."""
        solver(self.sampler, self.eta)

    def folder(self) -> Path:
        """Raises UsageError for a model that is not there."""
        if self.shipped:
            return self.assets / "model"
        given = {"revision": self.revision, "variant": self.form.variant}
        extra = "".join(f" --set reward_ft.{key}={value}" for key, value in given.items() if value)
        return find(self.name, self.revision, f" --model {self.name}{extra}")

    def files(self) -> Mapping[str, Path]:
        """Raises UsageError also for a scheduler that cannot be sampled."""
        if self.shipped:
            return {}
        paths = files(self.folder(), self.form.variant)
        # here, so that no run is planned with such a scheduler
        self.schedule()
        return {f"model/{name}": path for name, path in paths.items()}

    def digests(self) -> Mapping[str, str]:
        return sampler_source(self.sampler)

    def sources(self) -> Iterable[HubFolder]:
        if not self.shipped and not os.path.isdir(place(self.name)):
            revision = self.revision or PINNED.get(self.name, "")
            pick = partial(choose, variant=self.form.variant)
            yield HubFolder(hub_id(self.name), revision, pick)

    def schedule(self) -> Schedule:
        """The time steps, with levels up to rounding.

        Raises UsageError for what cannot be sampled, or not be guided.
        """
        levels = self._plain(self.steps)
        found = (
            Schedule.of(scheduler(self.folder()), self.steps, self.eta, self.sampler)
            if levels is None
            else Schedule.at(levels, self.steps, self.eta, self.sampler)
        )
        if not any(found.guided):
            raise UsageError(
                f"option reward_ft.steps: {self.steps} of this model's scheduler have no step that "
                "can be guided: the first starts from noise alone (zero terminal SNR), the last "
                "adds none; take 3 or more"
            )
        return found

    @property
    def trained(self) -> int:
        """Time steps of its training. Raises UsageError."""
        if (levels := self._plain(1)) is not None:
            return len(levels.abar)
        return int(scheduler(self.folder()).config.num_train_timesteps)

    def _plain(self, steps: int) -> Levels | None:
        """Of the shipped model, whose plans then wait for no library."""
        return plain(read_config(self.folder()), steps) if self.shipped else None

    def load(self, device: str, taesd: Path | None) -> Diffusion:
        """The networks, with the tiny autoencoder of a folder. Raises UsageError."""
        from tasks.reward_ft.pipeline import load

        found = load(self.folder(), device, replace(self.form, taesd=taesd))
        for remark in found.remarks:
            LOG.warning(remark)
        return found
