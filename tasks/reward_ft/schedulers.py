"""The scheduler of a Stable Diffusion folder, from its configuration alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.errors import UsageError, format_error
from tasks.reward_ft.folder import read_json

# the steps_offset, whatever the file says: so does diffusers' StableDiffusionPipeline
OFFSET = 1


def quiet() -> None:
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.set_verbosity_error()
    for library in (logging, transformers_logging):
        library.disable_progress_bar()


def read_config(folder: Path) -> dict[str, Any]:
    """Raises UsageError."""
    return read_json(folder / "scheduler" / "scheduler_config.json")


def scheduler(folder: Path) -> Any:
    """The DDIM scheduler of a model's folder, as `Diffusion` has it. Raises UsageError."""
    import diffusers

    quiet()
    config = read_config(folder)
    try:
        own = getattr(diffusers, str(config["_class_name"])).from_config(config)
        return diffusers.DDIMScheduler.from_config(
            own.config, clip_sample=False, steps_offset=OFFSET
        )
    except Exception as error:  # diffusers raises whatever a wrong file leads it to
        reason = format_error(error)[:300]
        raise UsageError(f"model {folder}: its scheduler cannot be made: {reason}") from error
