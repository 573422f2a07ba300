"""What the closed-form toys have in common as tasks: no files, no prompts, one price for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from benchmark.errors import refuse_prompt
from benchmark.protocol import Prices


class Toy:
    """A toy's options are a dataclass that derives from this; it adds `space`, `prices` and `open`.

    toy: its name, for a prompt that is refused.
    """

    toy: ClassVar[str]
    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"toy": {}}
    lowers: ClassVar[tuple[str, ...]] = ("",)
    smallest: ClassVar[Mapping[str, object]] = {}

    def prompts(self) -> tuple[str, ...]:
        return ("",)

    def check_prompt(self, prompt: str) -> None:
        refuse_prompt(self.toy, prompt)

    def fingerprint(self) -> Mapping[str, str]:
        return {}

    @property
    def counted(self) -> str:
        return "one evaluation is one call of an oracle; nothing is left out"

    def priced(self, horizon: int) -> Prices:
        """One evaluation for each request. horizon: steps of a full fit."""
        return Prices(1, 1, 1, 1, 1, 1, horizon)
