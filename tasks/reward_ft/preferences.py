"""Rewards learned from people's choices between images: PickScore and ImageReward.

Two networks of transformers, filled from the published files; nothing in those is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError, format_error
from tasks.files.download import Source
from tasks.files.folders import pretrained
from tasks.files.tensors import fill
from tasks.files.weights import OnHub, digest, in_folder, locate

OPTION = "reward_ft.reward_weights"
SIDE = 224
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# tokens of a prompt that ImageReward reads
BLIP_TOKENS = 35

PICK = "yuvalkirstain/PickScore_v1"
# whose tokenizer it has
PICK_CLIP = "ViT-H-14"
PICK_FILES = {"config": OnHub(PICK, "config.json"), "network": OnHub(PICK, "model.safetensors")}
BLIP_FILES = {
    "network": OnHub("THUDM/ImageReward", "ImageReward.pt"),
    "vocabulary": OnHub("google-bert/bert-base-uncased", "vocab.txt"),
}
# the mean and deviation by which ImageReward is made a standard score
_REWARD_MEAN, _REWARD_STD = 0.16717362830052426, 1.0333394966054072
TOWER = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 16,
}
TEXT = {
    "vocab_size": 30524,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
}
HEAD = (1024, 128, 64, 16, 1)
# transformers' names of the image tower, and those of BLIP's own code, which the file has
_TOWER = (
    ("embeddings.class_embedding", "cls_token"),
    ("embeddings.position_embedding", "pos_embed"),
    ("embeddings.patch_embedding", "patch_embed.proj"),
    ("encoder.layers.", "blocks."),
    ("self_attn.qkv", "attn.qkv"),
    ("self_attn.projection", "attn.proj"),
    ("post_layernorm", "norm"),
    ("layer_norm", "norm"),
)


def seen(images: Tensor) -> Tensor:
    """As CLIP and BLIP take them: the short side to 224, the middle, CLIP's mean and deviation."""
    height, width = images.shape[-2:]
    scale = SIDE / min(height, width)
    size = (round(height * scale), round(width * scale))
    x = functional.interpolate(images, size, mode="bicubic", antialias=True)
    top, left = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in (_MEAN, _STD))
    return (x[..., top : top + SIDE, left : left + SIDE].clamp(0, 1) - mean) / std


def _located(
    what: str, name: str, wanted: Mapping[str, OnHub], folder: str, also: Mapping[str, str]
) -> dict[str, Path]:
    """The files by `name/part`, of a folder or of the hub's cache. Raises UsageError.

    also: as of `in_folder`.
    """
    if not folder:
        choice = f"reward_ft.reward={name}"
        return {f"{name}/{p}": locate(what, s, OPTION, choice) for p, s in wanted.items()}
    found = in_folder(what, wanted, folder, also)
    return {f"{name}/{part}": path for part, path in found.items()}


@lru_cache(maxsize=1)
def _pick(folder: Path, sha256: str, device: torch.device) -> Any:
    return pretrained("PickScore", "CLIPModel", folder).to(device)


class PickScore:
    """PickScore (Kirstain et al. 2023, arXiv 2305.01569): a ViT-H/14 tuned on users' choices.

    The scaled cosine of image and prompt, about 20 of good images.
    """

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return tuple(PICK_FILES.values())

    @classmethod
    def files(cls, given_folder: str) -> Mapping[str, Path]:
        return _located("PickScore", "pick_score", PICK_FILES, given_folder, {})

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        import open_clip

        weights = files["pick_score/network"]
        self._clip = _pick(weights.parent, digest(weights), device)
        if (side := self._clip.vision_model.config.image_size) != SIDE:
            raise UsageError(
                f"PickScore: expected a network of {SIDE} pixels in {weights.parent}, got {side}"
            )
        # behind the end of a text nothing is looked at, so open_clip's zeros do there
        tokens = open_clip.get_tokenizer(PICK_CLIP)([prompt])
        with torch.no_grad():
            text = self._clip.text_model(tokens.to(device)).pooler_output
            self._text = functional.normalize(self._clip.text_projection(text)[0], dim=0)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N,)."""
        embedded = self._clip.visual_projection(
            self._clip.vision_model(pixel_values=seen(images)).pooler_output
        )
        cosine: Tensor = functional.normalize(embedded, dim=1) @ self._text
        score: Tensor = self._clip.logit_scale.exp() * cosine
        return score


class Blip(nn.Module):
    """BLIP's image tower, its text encoder that looks at it, and ImageReward's linear layers."""

    def __init__(self) -> None:
        from transformers import BlipTextConfig, BlipVisionConfig
        from transformers.models.blip.modeling_blip import BlipVisionModel
        from transformers.models.blip.modeling_blip_text import BlipTextModel

        super().__init__()
        # transformers' 1e-5 of the norms is not timm's, which BLIP was trained with
        self.tower = BlipVisionModel(
            BlipVisionConfig(**TOWER, image_size=SIDE, layer_norm_eps=1e-6)
        )
        # only a decoder looks at images; that it reads both ways is said to each call
        config = BlipTextConfig(**TEXT, encoder_hidden_size=TOWER["hidden_size"], is_decoder=True)
        self.text = BlipTextModel(config, add_pooling_layer=False)
        sizes = (TEXT["hidden_size"], *HEAD)
        # no activations between them; the file counts the dropouts too
        places = (0, 2, 4, 6, 7)
        pairs = zip(places, sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleDict({str(k): nn.Linear(a, b) for k, a, b in pairs})

    def forward(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """pixels: (N, 3, 224, 224).  tokens, mask: (L,) of one text. Returns (N,)."""
        n = len(pixels)
        looked_at = self.tower(pixel_values=pixels).last_hidden_state
        read = self.text(
            input_ids=tokens.expand(n, -1),
            attention_mask=mask.expand(n, -1),
            encoder_hidden_states=looked_at,
            encoder_attention_mask=torch.ones(looked_at.shape[:2], device=pixels.device),
            is_decoder=False,
        )
        x: Tensor = read.last_hidden_state[:, 0]
        for layer in self.layers.values():
            x = layer(x)
        return (x[:, 0] - _REWARD_MEAN) / _REWARD_STD


def published(name: str) -> str:
    """What the file of ImageReward calls a tensor of `Blip`."""
    part, _, rest = name.partition(".")
    if part == "text":
        return f"blip.text_encoder.{rest}"
    if part == "layers":
        return f"mlp.layers.{rest}"
    for own, other in _TOWER:
        rest = rest.replace(own, other)
    return f"blip.visual_encoder.{rest}"


@lru_cache(maxsize=1)
def _blip(weights: Path, sha256: str, device: torch.device) -> Blip:
    with torch.device("meta"):
        network = Blip()
    positions = torch.arange(network.text.config.max_position_embeddings)[None]
    network.text.embeddings.register_buffer("position_ids", positions, persistent=False)
    # the checkpoint holds BLIP's decoder besides
    fill("ImageReward", network, weights, exact=False, called=published)
    return network.to(device).eval().requires_grad_(False)


@dataclass(frozen=True)
class Words:
    """BERT's tokenizer. encode: a text's tokens with one at each end; none is cut."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]


def words_of(files: Mapping[str, Path]) -> Words:
    """Raises UsageError."""
    path = files["image_reward/vocabulary"]
    return _words(path, digest(path))


@lru_cache(maxsize=1)
def _words(vocabulary: Path, sha256: str) -> Words:
    from tokenizers import BertWordPieceTokenizer

    try:
        own = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
    # tokenizers raises plain Exception
    except Exception as error:
        raise UsageError(
            f"ImageReward: {vocabulary} is no vocabulary of BERT: {format_error(error)[:200]}"
        ) from error
    return Words(lambda text: list(own.encode(text).ids), own.decode)


class ImageReward:
    """ImageReward (Xu et al. 2023, arXiv 2304.05977): BLIP tuned on rankings, a standard score."""

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return tuple(BLIP_FILES.values())

    @classmethod
    def files(cls, given_folder: str) -> Mapping[str, Path]:
        also = {"network": "ImageReward.safetensors"}
        return _located("ImageReward", "image_reward", BLIP_FILES, given_folder, also)

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        weights = files["image_reward/network"]
        self._blip = _blip(weights, digest(weights), device)
        ids = words_of(files).encode(prompt)
        # the end of a text that is too long stays its end
        ids = ids if len(ids) <= BLIP_TOKENS else [*ids[: BLIP_TOKENS - 1], ids[-1]]
        self._tokens = torch.tensor(ids, device=device)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N,)."""
        found: Tensor = self._blip(seen(images), self._tokens, torch.ones_like(self._tokens))
        return found
