"""reward_ft: how strongly to guide a pre-trained text-to-image model by a reward. Algorithms 2, 4 and 5 of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchmark.errors import UsageError
from benchmark.options import option
from benchmark.protocol import Prices, Task

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
PAPER_PROMPTS = ("A beautiful landscape",)  # the default of the released code; the paper's own were not at hand
EMBEDDED = ("quality", "random_head")  # rewards on the embedded preset's own networks


@dataclass(frozen=True)
class RewardFt:
    """min over lam of F = -E[r1], subject to p = argmin -E[r2] + lam KL(p || p_data).

    lower `importance`: p as weights over a bank of p_data samples; `guided`: p as guided images.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "embedded": {},
        "paper": {  # batch 3, 7 passes, target 10, guidance 1, 20 Bayesian calls; the other values: docs/paper.md
            "model": SD15, "clip": "ViT-B-16-quickgelu/openai", "reward": "resnet_head",
            "features": "inception", "reference": "unguided", "mode": "lookahead", "target": 10.0, "guidance": 1.0,
            "size": 512, "steps": 50, "cfg": 7.5, "passes": 7, "images": 3, "bank": 256, "test_images": 12,
            "reference_images": 64, "micro_batch": 1, "bayesian.trials": 20,
        },
    }  # fmt: skip
    lowers: ClassVar[tuple[str, ...]] = ("importance", "guided")
    smallest: ClassVar[Mapping[str, object]] = {"steps": 4, "bank": 64, "images": 4, "test_images": 8}

    reward: str = option(
        "quality",
        "r2: quality or random_head (embedded), resnet_head (the paper's), aesthetic, hpsv2, or one of a plug-in",
    )
    mode: str = option("tilt", "guidance: beta = 1/lam, or the paper's look-ahead loss", choices=("tilt", "lookahead"))
    target: float = option(10.0, "target reward of `lookahead` (the released code's)", low=-1e6, high=1e6)
    guidance: float = option(1.0, "strength of `lookahead` (the released code's)", low=0.0, high=1e6)
    steps: int = option(12, "DDIM steps, wherever images are sampled (measured: MODEL_CARD.md)", low=1, high=1000)
    cfg: float = option(1.5, "classifier-free guidance scale (measured: MODEL_CARD.md)", low=0.0, high=100.0)
    eta: float = option(
        1.0,
        "DDIM noise; the path KL, and so grad on `guided`, needs more than 0, and exceeds KL where steps are few",
        low=0.0,
        high=1.0,
    )
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
    model: str = option("", "a Stable Diffusion folder or hub id; empty: the shipped one", place=True)
    revision: str = option(
        "", "commit of the hub id; empty: the pinned one of the default, else the main branch", place=True
    )
    variant: str = option("", "such as fp16: take model.fp16.safetensors", later=True)
    clip: str = option("", "r1: an open_clip NAME/WEIGHTS or folder; empty: the shipped one", place=True)
    reward_weights: str = option("", "file or folder of the reward's network; empty: where fetch puts it", place=True)
    features: str = option(
        "judge", "network of FID: the embedded judge, or pytorch-fid's", choices=("judge", "inception"), later=True
    )
    inception: str = option("", "file of pytorch-fid's weights; empty: where its own download lies", place=True)
    reference: str = option(
        "", "what FID is measured against: unguided, a folder of pictures, or an .npz of pytorch-fid", place=True
    )
    reference_images: int = option(64, "unguided images of the reference", low=2, high=10**6, later=True)
    size: int = option(0, "pixels of a side; 0: the model's own", low=0, high=8192, later=True)
    dtype: str = option("fp32", "of U-Net and text encoder", choices=("fp32", "bf16", "fp16"), later=True)
    decode_dtype: str = option("fp32", "of the autoencoder", choices=("fp32", "bf16", "fp16"), later=True)
    checkpointing: bool = option(False, "recompute instead of keeping: less memory, more time", later=True)
    channels_last: bool = option(False, "memory layout of U-Net and autoencoder", later=True)
    compile: bool = option(False, "torch.compile the U-Net where nothing is differentiated", later=True)
    taesd: str = option("", "tiny autoencoder (folder or hub id) for the look-ahead; changes results", place=True)

    @property
    def folder(self) -> Path:
        from tasks.reward_ft import embedded

        return Path(self.assets) if self.assets else embedded.ASSETS

    @property
    def uses_other(self) -> bool:
        """Whether anything but the shipped files decides the numbers."""
        return bool(self.model or self.clip or self.taesd or self.features != "judge" or self.reward not in EMBEDDED)

    def prompts(self) -> tuple[str, ...]:
        from tasks.reward_ft import assemble

        return assemble.prompts(self)

    def check_prompt(self, prompt: str) -> None:
        from tasks.reward_ft import digits, prompts

        if not self.model:
            digits.parse(prompt)
        elif not prompt.strip():
            raise UsageError("--prompt: expected some words, got an empty text")
        for earlier in self._asked:
            if earlier != prompt:
                prompts.distinct(self, earlier, prompt)
        self._asked.append(prompt)

    @cached_property
    def _asked(self) -> list[str]:
        """The prompts of one plan."""
        return []

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.reward_ft import assemble

        return assemble.fingerprint(self)

    def fetch(self, dry_run: bool, base: str) -> None:
        """Download what these options need and this machine lacks; `bench fetch`. Raises UsageError."""
        from tasks import download
        from tasks.reward_ft import assemble

        download.fetch(assemble.sources(self), dry_run, base)

    @property
    def advice(self) -> str:
        """What takes less memory, the first first."""
        ways = {
            "micro_batch=1": self.micro_batch > 1,
            "checkpointing=true": not self.checkpointing,
            "dtype=bf16": self.dtype == "fp32",
            "decode_dtype=bf16": self.decode_dtype == "fp32",
            "taesd=madebyollin/taesd": not self.taesd,
            "a smaller size": True,
        }
        return "set reward_ft." + ", ".join(way for way, left in ways.items() if left)

    def memory(self, device: str) -> int:
        """Bytes at the peak of a run, estimated; 0 for the shipped model, which is small. Raises UsageError."""
        from tasks.reward_ft import memory

        return memory.estimate(self, device) if self.model else 0

    @property
    def counted(self) -> str:
        """By arithmetic (`python -m benchmarks flops`, the embedded preset) 49 % of a guided pass is left out, most of it in the
        look-ahead through the autoencoder, and 8 % of a bank. A differentiated pass of the frozen U-Net is counted as 3
        and takes the arithmetic of 2, so that a guided time step counts 3 and takes that of 3.9 plain passes.
        """
        return (
            "one evaluation is one pass of the U-Net for one image, two with classifier-free guidance, three times that where it "
            "is differentiated; not counted: autoencoder, text encoder, rewards and CLIP (embedded preset: 49 % of the "
            "arithmetic of a guided pass, 8 % of a bank)"
        )

    def prices(self, lower: str) -> Prices:
        """Of the options and the scheduler's configuration alone. Raises UsageError for a model that is not there."""
        from tasks.reward_ft import assemble

        return assemble.prices(self, lower)

    def tolerance(self, lower: str) -> float | None:
        """None for `guided`: its KL is that of the path, several times KL(p || p_data), and so is the hypergradient: at
        lam = 10 it was 4.1 times a difference of F over full fits, at lam = 2 5.3 times (embedded, 16 images, gamma = 1000).
        """
        return None if lower == "guided" else 0.05

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.precision import exact
        from tasks.reward_ft import assemble, prompts, task
        from tasks.reward_ft.guidance import advised

        exact(device)
        prompts.note_cuts(self, prompt)
        with advised():
            found = assemble.networks(self, prompt, device)
        kinds: dict[str, Callable[..., Task[Any]]] = {"importance": task.Importance, "guided": task.GuidedTask}
        return kinds[lower](self, found, seed, prompt)
