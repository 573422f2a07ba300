"""reward_ft: how strongly to guide a pre-trained text-to-image model by a reward. Algorithms 2, 4 and 5 of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmark.options import option
from benchmark.protocol import Task


@dataclass(frozen=True)
class RewardFt:
    """min over lam of F = -E[r1], subject to p = argmin -E[r2] + lam KL(p || p_data).

    lower `importance`: p as weights over a bank of p_data samples; `guided`: p as guided images.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"embedded": {}}
    lowers: ClassVar[tuple[str, ...]] = ("importance", "guided")
    smallest: ClassVar[Mapping[str, object]] = {"steps": 4, "bank": 64, "images": 4, "test_images": 8}

    reward: str = option(
        "quality",
        "r2: a learned quality reward, or the paper's kind, a random head",
        choices=("quality", "random_head"),
    )
    mode: str = option("tilt", "guidance: beta = 1/lam, or the paper's look-ahead loss", choices=("tilt", "lookahead"))
    target: float = option(10.0, "target reward of `lookahead` (the released code's)", low=-1e6, high=1e6)
    guidance: float = option(1.0, "strength of `lookahead` (the released code's)", low=0.0, high=1e6)
    steps: int = option(12, "DDIM steps, wherever images are sampled (measured: MODEL_CARD.md)", low=1, high=1000)
    cfg: float = option(1.5, "classifier-free guidance scale (measured: MODEL_CARD.md)", low=0.0, high=100.0)
    eta: float = option(1.0, "DDIM noise; the path KL, and so grad on `guided`, needs more than 0", low=0.0, high=1.0)
    passes: int = option(
        3, "passes of guided sampling, the first one unguided (the paper: 7 optimisation steps)", low=2, high=100
    )
    bank: int = option(512, "samples of p_data for `importance` (feasible range 512 to 1024)", low=16, high=10**6)
    images: int = option(32, "validation images of one evaluation on `guided`", low=1, high=10**5)
    test_images: int = option(
        80,
        "held-out images of the final measurement; more than the 64 features of the embedded judge",
        low=2,
        high=10**5,
    )
    micro_batch: int = option(80, "images sampled at once; changes memory, not results", low=1, high=10**5)
    assets: str = option("", "folder of the embedded preset's files; empty: those that are shipped")

    @property
    def folder(self) -> Path:
        from tasks.reward_ft import embedded

        return Path(self.assets) if self.assets else embedded.ASSETS

    def prompts(self) -> tuple[str, ...]:
        from tasks.reward_ft import embedded

        return embedded.PROMPTS

    def check_prompt(self, prompt: str) -> None:
        from tasks.reward_ft import digits

        digits.parse(prompt)

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.reward_ft import embedded

        embedded.verify(self.folder)
        return embedded.manifest(self.folder)

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.reward_ft import embedded, task

        found = embedded.networks(self.folder, prompt, self.reward, device)
        kinds: dict[str, Callable[..., Task[Any]]] = {"importance": task.Importance, "guided": task.GuidedTask}
        return kinds[lower](self, found, seed, prompt)
