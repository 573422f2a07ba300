"""What a text encoder sees of a prompt: its tokens up to the tokenizer's limit.

Words that are cut give a warning, and two prompts with the same tokens are refused.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UsageError, format_error
from tasks.files.weights import place
from tasks.reward_ft import several
from tasks.reward_ft.folder import read_json
from tasks.reward_ft.parts.model import ModelPart
from tasks.reward_ft.schedulers import quiet

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

LOG = logging.getLogger("benchmark")
# characters of a prompt in a message
_SHOWN = 60


@dataclass(frozen=True)
class Tokens:
    """A tokenizer. encode: a text's tokens, with one at each end; limit: how many are seen.

    what: its name in messages. Both end tokens count towards the limit.
    """

    what: str
    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    limit: int

    def seen(self, prompt: str) -> list[int]:
        ids = self.encode(prompt)
        return ids if len(ids) <= self.limit else [*ids[: self.limit - 1], ids[-1]]

    def cut(self, prompt: str) -> str:
        """The words that are not seen."""
        ids = self.encode(prompt)
        return self.decode(ids[self.limit - 1 : -1]).strip() if len(ids) > self.limit else ""


def _of(what: str, tokenizer: Any, limit: int) -> Tokens:
    return Tokens(
        what,
        lambda text: list(tokenizer(text, truncation=False).input_ids),
        tokenizer.decode,
        limit,
    )


@contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Raises UsageError for a tokenizer that cannot be loaded."""
    try:
        yield
    # transformers raises whatever a damaged file leads it to, tokenizers plain Exception
    except Exception as error:
        reason = format_error(error)[:300]
        raise UsageError(f"model {folder}: its tokenizer cannot be loaded: {reason}") from error


@lru_cache(maxsize=4)
def _model(folder: Path, what: str) -> Tokens:
    from transformers import CLIPTokenizer

    quiet()
    with _loading(folder):
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        return _of(what, tokenizer, int(tokenizer.model_max_length))


@lru_cache(maxsize=4)
def _shipped(folder: Path, what: str) -> Tokens:
    """Of the shipped model, as `_model` has it, by the library below transformers."""
    from tokenizers import Tokenizer

    about = read_json(folder / "tokenizer" / "tokenizer_config.json")
    with _loading(folder):
        own = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
        limit = int(about["model_max_length"])
    own.no_truncation()
    own.no_padding()

    def decode(ids: list[int]) -> str:
        return str(own.decode(ids, skip_special_tokens=False)).replace("</w>", " ")

    return Tokens(what, lambda text: list(own.encode(text).ids), decode, limit)


@lru_cache(maxsize=4)
def _clip(name: str, what: str) -> Tokens:
    """The tokenizer of an open_clip model by its name."""
    import open_clip

    try:
        own = open_clip.get_tokenizer(name)
    except Exception as error:
        reason = format_error(error)[:300]
        raise UsageError(f"{what}: its tokenizer cannot be loaded: {reason}") from error
    # open_clip wraps Hugging Face's tokenizers and has one of its own, without end tokens
    if hasattr(own, "tokenizer"):
        return _of(what, own.tokenizer, int(own.context_length))
    return Tokens(
        what,
        lambda text: [own.sot_token_id, *own.encode(text), own.eot_token_id],
        own.decode,
        int(own.context_length),
    )


def _open_clip(spec: str, what: str) -> Tokens:
    folder = place(spec)
    name = f"local-dir:{folder}" if os.path.isdir(folder) else spec.partition("/")[0]
    return _clip(name, what)


def tokenizers(o: RewardFt) -> Iterator[Tokens]:
    """All that read the prompt. Raises UsageError."""
    folder = ModelPart.of(o).folder()
    yield (_model if o.model else _shipped)(folder, "the model's text encoder")
    if o.clip:
        yield _open_clip(o.clip, "CLIP (r1)")
    elif o.model:
        yield _model(o.folder / "model", "CLIP (r1)")
    if "hpsv2" in o.names:
        from tasks.reward_ft.paper_rewards import HPS_CLIP

        yield _open_clip(several.weights_of(o, "hpsv2") or HPS_CLIP, "hpsv2 (r2)")
    if "pick_score" in o.names:
        from tasks.reward_ft import preferences

        yield _open_clip(preferences.PICK_CLIP, "pick_score (r2)")
    if "image_reward" in o.names:
        from tasks.reward_ft import preferences

        words = preferences.words_of(
            preferences.ImageReward.files(several.weights_of(o, "image_reward"))
        )
        yield Tokens("image_reward (r2)", words.encode, words.decode, preferences.BLIP_TOKENS)


def note_cuts(o: RewardFt, prompt: str) -> None:
    """A note of the run for each text encoder that does not see all of the prompt."""
    for tokens in tokenizers(o):
        if cut := tokens.cut(prompt):
            LOG.warning(
                f"{tokens.what} reads {tokens.limit} tokens of the prompt; it does not see: "
                f"{cut[:200]}"
            )


def distinct(o: RewardFt, one: str, other: str) -> None:
    """Raises UsageError for two prompts that are one to a text encoder."""
    for tokens in tokenizers(o):
        if tokens.seen(one) == tokens.seen(other):
            limited = tokens.cut(one) or tokens.cut(other)
            cut = f" up to its limit of {tokens.limit}" if limited else ""
            raise UsageError(
                f"--prompt: expected prompts that differ, got {one[:_SHOWN]!r} and "
                f"{other[:_SHOWN]!r} with the same tokens{cut} for {tokens.what}; leave one out, "
                "or tell them apart in their first words"
            )
