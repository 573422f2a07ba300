"""The folder of a Stable Diffusion model: where it lies, if it runs here, which files count."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError, one_line
from tasks.files.weights import FETCH, pickled, place
from tasks.reward_ft.presets import SD15

KINDS = "Stable Diffusion 1.x and 2.x, text to image (model_index.json: StableDiffusionPipeline)"
_PARTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}
_TINY = ("config.json", "diffusion_pytorch_model.safetensors")
_KINDS = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
}
_TOKENIZER = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
# of a distilled model, which takes the strength of guidance as an input
_GUIDED = "time_cond_proj_dim"
_CONDITIONS = (
    _GUIDED,
    "class_embed_type",
    "num_class_embeds",
    "addition_embed_type",
    "encoder_hid_dim_type",
)
# of UNet2DConditionModel and CLIPTextConfig, where a configuration is silent
_CROSS, _WIDTH, _TOKENS = 1280, 512, 77
_MOST_JSON = 2**26  # bytes
# a hub id without a commit would be another model whenever its owner changes it
PINNED = {SD15: "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def hub_id(model: str) -> str:
    """The text, if it may be a hub id. Raises UsageError."""
    if os.path.exists(place(model)) or not HUB_ID.fullmatch(model):
        raise UsageError(
            f"model {model!r}: expected a folder that diffusers wrote (with a model_index.json), "
            "or a hub id such as OWNER/NAME"
        )
    return model


def find(model: str, revision: str = "", get: str = "", first: str = "model_index.json") -> Path:
    """The folder of a model that is named by a folder or a hub id. Raises UsageError.

    get: arguments of the `bench fetch` that gets it.  first: a file that every such model has.
    """
    path = place(model)
    if os.path.isdir(path):
        return path
    hub_id(model)
    from huggingface_hub import constants, try_to_load_from_cache

    revision = revision or PINNED.get(model, "")
    # the hub's cache alone, because a run never uses the network
    try:
        cached = try_to_load_from_cache(model, first, revision=revision or None)
    except ValueError as error:
        raise UsageError(f"model {model!r}: no hub id: {one_line(str(error))}") from error
    if not isinstance(cached, str):
        at = f" at revision {revision}" if revision else ""
        raise UsageError(
            f"model {model!r}{at}: neither a folder nor in the hub's cache "
            f"{constants.HF_HUB_CACHE}, and a run never uses the network; get it with "
            f"`{FETCH}{get or f' --model {model}'}`, or name a folder"
        )
    return Path(cached).parent


def choose(names: Sequence[str], variant: str = "") -> list[str]:
    """Of a hub repository's files those that a run needs, and its licence. Raises UsageError."""
    dot = f".{variant}" if variant else ""
    there = set(names)
    taken = [n for n in names if re.fullmatch(r"(LICENSE|README)[\w.]*", n)]
    taken += [n for n in ("model_index.json", "scheduler/scheduler_config.json") if n in there]
    taken += [n for name in _TOKENIZER if (n := f"tokenizer/{name}") in there]
    for part, stem in _PARTS.items():
        whole = f"{part}/{stem}{dot}.safetensors"
        shards = [
            n
            for n in names
            if re.fullmatch(rf"{part}/{stem}{re.escape(dot)}-\d+-of-\d+\.safetensors", n)
        ]
        index = f"{part}/{stem}.safetensors.index{dot}.json"
        if whole not in there and not (shards and index in there):
            has = sorted(n for n in names if n.startswith(f"{part}/{stem}"))
            raise UsageError(
                f"model: the repository has no {whole}; it has "
                f"{', '.join(has) or 'nothing of that part'}"
            )
        taken += [f"{part}/config.json", *([whole] if whole in there else [index, *shards])]
    return taken


def choose_tiny(names: Sequence[str]) -> list[str]:
    """The files of a tiny autoencoder's repository that a run needs."""
    return [*(n for n in names if n.startswith(("LICENSE", "README"))), *_TINY]


def tiny_files(folder: Path) -> dict[str, Path]:
    """The files that decide what a tiny autoencoder gives, by name. Raises UsageError."""
    found = {name: folder / name for name in _TINY}
    if missing := [name for name, path in found.items() if not path.is_file()]:
        how = "diffusers' AutoencoderTiny.from_pretrained(FOLDER).save_pretrained(ANOTHER)"
        raise UsageError(
            f"tiny autoencoder {folder}: missing {', '.join(missing)}{pickled(folder, how)}"
        )
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A configuration file. Raises UsageError."""
    try:
        if path.stat().st_size > _MOST_JSON:
            raise ValueError(f"it has more than {_MOST_JSON} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except FileNotFoundError as error:
        raise UsageError(f"model: {path} is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"model: {path} cannot be read: {error}") from error
    return found


def files(folder: Path, variant: str = "") -> dict[str, Path]:
    """The files that decide the images, by their name inside the folder.

    Raises UsageError for a model of another kind, and for missing files, each by name.
    """
    _check_kind(folder)
    if not re.fullmatch(r"[\w.-]{0,40}", variant):
        raise UsageError(
            f"option reward_ft.variant: expected a name such as fp16, got {variant[:60]!r}"
        )
    found, missing = _present(folder, variant)
    if missing:
        how = (
            "diffusers' StableDiffusionPipeline.from_pretrained(FOLDER, "
            "safety_checker=None).save_pretrained(ANOTHER)"
        )
        hint = next((h for part in _PARTS if (h := pickled(folder / part, how))), "")
        raise UsageError(f"model {folder}: missing {', '.join(missing)}{hint}")
    _check_scheduler(folder)
    _together(folder)
    return found


def _check_kind(folder: Path) -> None:
    """Raises UsageError for a folder that holds another kind of model, or none."""
    if not (folder / "model_index.json").is_file():
        raise UsageError(
            f"model {folder}: no model_index.json, so it is no folder that diffusers wrote; "
            f"expected {KINDS}"
        )
    index = read_json(folder / "model_index.json")
    if index.get("_class_name") != "StableDiffusionPipeline":
        raise UsageError(
            f"model {folder}: it holds a {index.get('_class_name')}; supported: {KINDS}"
        )
    for part, kind in _KINDS.items():
        if (got := index.get(part)) != list(kind):
            raise UsageError(
                f"model {folder}: its {part} is {got}, expected {list(kind)}; supported: {KINDS}"
            )


def _present(folder: Path, variant: str) -> tuple[dict[str, Path], list[str]]:
    """The files that are there, by name, and the names of those that are missing."""
    found = {"model_index.json": folder / "model_index.json"}
    missing = []

    def take(name: str) -> bool:
        there = (folder / name).is_file()
        if there:
            found[name] = folder / name
        return there

    for part, stem in _PARTS.items():
        if not take(f"{part}/config.json"):
            missing.append(f"{part}/config.json")
        missing += _weights(folder, part, stem, variant, found)
    if not take("scheduler/scheduler_config.json"):
        missing.append("scheduler/scheduler_config.json")
    there = {name for name in _TOKENIZER if take(f"tokenizer/{name}")}
    if "tokenizer.json" not in there and not {"vocab.json", "merges.txt"} <= there:
        missing.append("tokenizer/vocab.json and merges.txt, or tokenizer.json")
    return found, missing


def _check_scheduler(folder: Path) -> None:
    """Raises UsageError for a scheduler that says too little, or clips."""
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    lacks = [name for name in ("beta_start", "beta_end", "beta_schedule") if name not in scheduler]
    lacks = [] if scheduler.get("trained_betas") else lacks
    if lacks or scheduler.get("prediction_type", "epsilon") not in ("epsilon", "v_prediction"):
        what = (
            f"lacks {', '.join(lacks)}"
            if lacks
            else f"predicts {str(scheduler['prediction_type'])[:60]!r}"
        )
        raise UsageError(
            f"model {folder}: scheduler/scheduler_config.json {what}; expected betas, and epsilon "
            "or v_prediction"
        )
    if scheduler.get("clip_sample") or scheduler.get("thresholding"):
        raise UsageError(
            f"model {folder}: its scheduler clips the predicted image, which no latent model "
            f"does; supported: {KINDS}"
        )


def _together(folder: Path) -> None:
    """Raises UsageError where the parts' configurations differ, or ask for more inputs."""
    unet, text = (read_json(folder / part / "config.json") for part in ("unet", "text_encoder"))
    for name in _CONDITIONS:
        if unet.get(name) is not None:
            raise UsageError(
                f"model {folder}: unet/config.json: expected no {name}, got "
                f"{one_line(str(unet[name]))[:60]!r}: a U-Net with inputs beyond time and prompt"
                f"{', which has guidance built in' * (name == _GUIDED)}; "
                f"set it to null if the weights know nothing of it; supported: {KINDS}"
            )
    width, given = unet.get("cross_attention_dim", _CROSS), text.get("hidden_size", _WIDTH)
    if width != given:
        raise UsageError(
            f"model {folder}: unet/config.json has cross_attention_dim "
            f"{one_line(str(width))[:60]} and text_encoder/config.json hidden_size {given}: parts "
            f"of two models; supported: {KINDS}"
        )
    path = folder / "tokenizer" / "tokenizer_config.json"
    # transformers takes an endless limit where the file states none, and the encoder then fails
    length = read_json(path).get("model_max_length") if path.is_file() else None
    most = text.get("max_position_embeddings", _TOKENS)
    if not isinstance(length, int) or not 2 <= length <= most:
        raise UsageError(
            f"model {folder}: tokenizer/tokenizer_config.json: expected a model_max_length of 2 "
            f"to {most}, the text encoder's max_position_embeddings, got "
            f"{one_line(str(length))[:60]}; write {most} there"
        )
    channels = unet.get("in_channels")
    latent = read_json(folder / "vae" / "config.json").get("latent_channels")
    if channels != latent:
        raise UsageError(
            f"model {folder}: its U-Net takes {channels} channels and its autoencoder gives "
            f"{latent}: a model for inpainting or depth; supported: {KINDS}"
        )


def _weights(folder: Path, part: str, stem: str, variant: str, found: dict[str, Path]) -> list[str]:
    """Add a part's weights, whole or in shards, to `found`; return the names of missing files."""
    dot = f".{variant}" if variant else ""
    whole = f"{part}/{stem}{dot}.safetensors"
    index = f"{part}/{stem}.safetensors.index{dot}.json"
    sharded = (folder / index).is_file()
    # where both are there, diffusers reads the shards and transformers the whole file
    shards_first = sharded and part != "text_encoder"
    if (folder / whole).is_file() and not shards_first:
        found[whole] = folder / whole
        return []
    if not sharded:
        there = sorted(p.name for p in (folder / part).glob(f"{stem}*.safetensors"))
        return [
            f"{whole} (there is {', '.join(there)}; variants go by --set reward_ft.variant=)"
            if there
            else whole
        ]
    table = read_json(folder / index).get("weight_map")
    # plain names alone: a path in the table could lead out of the folder
    names = list(table.values()) if isinstance(table, dict) else []
    if not names or not all(
        isinstance(n, str) and len(n) < 200 and Path(n).name == n for n in names
    ):
        raise UsageError(
            f"model: {folder / index}: expected names of files beside it, got "
            f"{one_line(str(names))[:80]}"
        )
    shards = [f"{part}/{n}" for n in sorted(set(names))]
    found |= {n: folder / n for n in [index, *shards]}
    return [n for n in shards if not (folder / n).is_file()]
