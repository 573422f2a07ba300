"""Networks of transformers from a folder as its `save_pretrained` and the model hub have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchmark.errors import UsageError, format_error
from tasks.files.tensors import sound


def pretrained(what: str, kind: str, folder: Path) -> Any:
    """The network in float32 on the CPU, frozen. kind: a class of transformers.

    Its own loader knows under which names its older versions stored what. Raises UsageError.
    """
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    shown = logging.get_verbosity()
    # what it would warn of is an error below
    logging.set_verbosity_error()
    try:
        network, about = getattr(transformers, kind).from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    # transformers raises whatever a damaged file leads it to
    except Exception as error:
        why = format_error(error)[:300]
        raise UsageError(f"{what}: {folder} cannot be loaded as a {kind}: {why}") from error
    finally:
        logging.set_verbosity(shown)
    for fault in ("missing_keys", "mismatched_keys"):
        if found := sorted(map(str, about[fault])):
            raise UsageError(
                f"{what}: {folder} has no tensor {found[0]} that fits: the weights of another "
                "network"
            )
    sound(f"{what}: {folder}", network)
    return network.eval().requires_grad_(False)
