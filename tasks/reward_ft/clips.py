"""open_clip models, by name and weights (`ViT-B-16-quickgelu/openai`) or from a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UsageError, format_error, suggest
from tasks.files.weights import OnHub, locate, pickled, place

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


def _named(spec: str) -> tuple[str, str, dict[str, Any]]:
    """Architecture, tag and open_clip's table of the tag. Raises UsageError."""
    import open_clip

    name, slash, tag = spec.partition("/")
    models = open_clip.list_models()
    if not slash or name not in models:
        every = [f"{n}/{t}" for n, t in open_clip.list_pretrained()]
        raise UsageError(
            f"CLIP {spec!r}: expected NAME/WEIGHTS as open_clip has them, or a folder with "
            f"{CONFIG}{suggest(spec, every)}"
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    table = open_clip.get_pretrained_cfg(name, tag)
    if not table:
        raise UsageError(
            f"CLIP {spec!r}: {name} has no weights {tag!r}{suggest(tag, tags)}; it has: "
            f"{', '.join(tags)}"
        )
    _check_activation(spec, name, tag, table)
    # an hf_tokenizer_name would be downloaded, and a run never uses the network
    if (open_clip.get_model_config(name).get("text_cfg") or {}).get("hf_tokenizer_name"):
        raise UsageError(
            f"CLIP {spec!r}: its tokenizer is not part of open_clip; choose a model with "
            "open_clip's own"
        )
    if not table.get("hf_hub"):
        raise UsageError(
            f"CLIP {spec!r}: these weights are not on the model hub; name a folder with {CONFIG} "
            f"and {WEIGHTS}"
        )
    return name, tag, table


def _check_activation(spec: str, name: str, tag: str, table: dict[str, Any]) -> None:
    """Raises UsageError where weights and model differ in QuickGELU."""
    import open_clip

    # open_clip only warns, and every number would be a little wrong
    trained = bool(table.get("quick_gelu", False))
    if trained != bool(open_clip.get_model_config(name).get("quick_gelu", False)):
        right = f"{name}-quickgelu" if trained else name.removesuffix("-quickgelu")
        raise UsageError(
            f"CLIP {spec!r}: QuickGELU mismatch: the weights {tag!r} were trained "
            f"{'with' if trained else 'without'} it and the model {name} is "
            f"{'without' if trained else 'with'}, so every number would be a little wrong; use "
            f"{right}/{tag}"
        )


def source(spec: str) -> OnHub:
    """Where the weights of a named model come from. Raises UsageError."""
    repo, _, name = _named(spec)[2]["hf_hub"].rpartition("/")
    return OnHub(repo, Path(name).with_suffix(".safetensors").name if name else WEIGHTS)


def files(spec: str, option: str, choice: str = "") -> dict[str, Path]:
    """The files that decide a model's numbers, by name. Raises UsageError.

    option: the option that named the model.  choice: the setting that asks for it.
    """
    folder = place(spec)
    if os.path.isdir(folder):
        found = {name: folder / name for name in (CONFIG, WEIGHTS)}
        if missing := [n for n, p in found.items() if not p.is_file()]:
            hint = pickled(
                folder,
                f"safetensors.torch.save_file(torch.load(FILE, weights_only=True), {WEIGHTS!r})",
            )
            raise UsageError(f"CLIP {spec!r}: missing {', '.join(missing)} in this folder{hint}")
        return found
    return {spec: locate(f"CLIP {spec}", source(spec), option, choice or f"{option}={spec}")}


def load(spec: str, option: str) -> tuple[Any, Callable[[list[str]], Tensor]]:
    """The model, in float32 on the CPU, and its tokenizer. Raises UsageError."""
    import open_clip

    from tasks.files.tensors import sound

    found = files(spec, option)
    try:
        if CONFIG in found:
            name = f"local-dir:{place(spec)}"
            model = open_clip.create_model(name, require_pretrained=True)
        else:
            name, _, table = _named(spec)
            # given, because open_clip looks them up by tag and here gets a file instead
            own = {
                k: table[k]
                for k in ("mean", "std", "interpolation", "resize_mode")
                if table.get(k) is not None
            }
            model = open_clip.create_model(
                name, pretrained=str(found[spec]), force_preprocess_cfg=own
            )
        sound(f"CLIP {spec!r}", model)
        return model, open_clip.get_tokenizer(name)
    except UsageError:
        raise
    except Exception as error:  # open_clip raises whatever a wrong file leads it to
        raise UsageError(
            f"CLIP {spec!r}: it cannot be loaded: {format_error(error)[:300]}"
        ) from error
