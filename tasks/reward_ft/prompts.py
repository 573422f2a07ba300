"""What a text encoder sees of a prompt: its tokens up to the tokenizer's limit. Words that are cut are said, twins refused."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UsageError, one_line
from tasks.reward_ft.assemble import model_folder
from tasks.reward_ft.pipeline import quiet
from tasks.weights import place

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

LOG = logging.getLogger("benchmark")
_SHOWN = 60  # characters


@dataclass(frozen=True)
class Tokens:
    """A tokenizer. encode: a text's tokens with one at each end; limit: how many are seen, both ends among them."""

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
    return Tokens(what, lambda text: list(tokenizer(text, truncation=False).input_ids), tokenizer.decode, limit)


@lru_cache(maxsize=4)
def _model(folder: Path, what: str) -> Tokens:
    from transformers import CLIPTokenizer

    quiet()
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        return _of(what, tokenizer, int(tokenizer.model_max_length))
    except Exception as error:  # transformers raises whatever a damaged file leads it to
        said = one_line(f"{type(error).__name__}: {error}")[:300]
        raise UsageError(f"model {folder}: its tokenizer cannot be loaded: {said}") from error


@lru_cache(maxsize=4)
def _clip(name: str, what: str) -> Tokens:
    """Of open_clip's name for a model."""
    import open_clip

    try:
        found = open_clip.get_tokenizer(name)
    except Exception as error:
        said = one_line(f"{type(error).__name__}: {error}")[:300]
        raise UsageError(f"{what}: its tokenizer cannot be loaded: {said}") from error
    if hasattr(found, "tokenizer"):
        return _of(what, found.tokenizer, int(found.context_length))
    return Tokens(
        what, lambda text: [found.sot_token_id, *found.encode(text), found.eot_token_id], found.decode,
        int(found.context_length),
    )  # fmt: skip


def _open_clip(spec: str, what: str) -> Tokens:
    return _clip(f"local-dir:{place(spec)}" if os.path.isdir(place(spec)) else spec.partition("/")[0], what)


def tokenizers(o: RewardFt) -> Iterator[Tokens]:
    """All that read the prompt. Raises UsageError."""
    from tasks.reward_ft.paper_rewards import HPS_CLIP

    yield _model(model_folder(o), "the model's text encoder")
    if o.clip:
        yield _open_clip(o.clip, "CLIP (r1)")
    elif o.model:
        yield _model(o.folder / "model", "CLIP (r1)")
    if o.reward == "hpsv2":
        yield _open_clip(o.reward_weights or HPS_CLIP, "hpsv2 (r2)")


def note_cuts(o: RewardFt, prompt: str) -> None:
    """A note of the run for each text encoder that does not see all of the prompt."""
    for tokens in tokenizers(o):
        if cut := tokens.cut(prompt):
            LOG.warning(f"{tokens.what} reads {tokens.limit} tokens of the prompt; it does not see: {cut[:200]}")


def distinct(o: RewardFt, one: str, other: str) -> None:
    """Raises UsageError for two prompts that are one to a text encoder."""
    for tokens in tokenizers(o):
        if tokens.seen(one) == tokens.seen(other):
            cut = f" up to its limit of {tokens.limit}" if tokens.cut(one) or tokens.cut(other) else ""
            raise UsageError(
                f"--prompt: expected prompts that differ, got {one[:_SHOWN]!r} and {other[:_SHOWN]!r} with the same tokens{cut} "
                f"for {tokens.what}; leave one out, or tell them apart in their first words"
            )
