"""reward_ft: how strongly a reward guides a text-to-image model. Paper: Algorithms 2, 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchmark.errors import UsageError
from benchmark.options import option
from benchmark.protocol import Prices, Task
from benchmark.space import Float, Space
from tasks.reward_ft import several
from tasks.reward_ft.presets import IMPORTS, PRESETS

# default 10: weak guidance, what a cautious user would take; neither the optimum nor an end
SPACE = Space(
    (Float("lam", 0.01, 100.0, default=10.0, log=True, grid=(0.01, 0.1, 1.0, 10.0, 100.0)),)
)


@dataclass(frozen=True)
class RewardFt:
    """min over lam of F = -E[r1], subject to p = argmin -E[r2] + lam KL(p || p_data).

    With several rewards: p = argmin KL(p || p_data) - sum_k E[r_k] / lam_k, a lam each.
    lower `importance`: p as weights over a bank of p_data samples; `guided`: p as guided images;
    `staged`: one after the other.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = PRESETS
    imports: ClassVar[tuple[str, ...]] = IMPORTS
    # the first for methods that use `grad`, the last for the others, as in the paper
    lowers: ClassVar[tuple[str, ...]] = ("importance", "staged", "guided")
    smallest: ClassVar[Mapping[str, object]] = {
        "steps": 4,
        "bank": 64,
        "images": 4,
        "test_images": 8,
    }

    reward: str = option(
        "quality",
        "r2: quality or random_head (embedded), resnet_head (the paper's), aesthetic, hpsv2, "
        "pick_score, image_reward, or another that `bench list` names",
    )
    rewards: str = option(
        "",
        "several lower rewards with a lam each, such as quality,bright,other_ink; empty: `reward`",
        later=True,
    )
    ess_per_reward: float = option(
        8.0,
        "with several rewards: effective samples of the bank for each, below which strengths are "
        "scaled down",
        low=0.0,
        high=1000.0,
        later=True,
    )
    most_kl: float = option(
        10.0,
        "with several rewards: largest path KL of a guided image, in nats; guidance is scaled down "
        "to it; 0: no bound",
        low=0.0,
        high=1e9,
        later=True,
    )
    together: int = option(
        0,
        "one lam for so many prompts, with ` | ` between them: the mean of their F; 0: a run each",
        low=0,
        high=100,
        later=True,
    )
    mode: str = option(
        "auto",
        "guidance: by the reward's linear model with beta = 1/lam, by it with the paper's "
        "look-ahead loss, or by the reward itself at each step, in one pass; auto: direct with "
        "several rewards, else tilt",
        choices=("auto", "tilt", "lookahead", "direct"),
    )
    target: float = option(10.0, "target reward of `lookahead` (released code)", low=-1e6, high=1e6)
    guidance: float = option(1.0, "strength of `lookahead` (released code)", low=0.0, high=1e6)
    steps: int = option(
        12,
        "sampling steps, wherever images are sampled (measured: MODEL_CARD.md)",
        low=1,
        high=1000,
    )
    cfg: float = option(
        1.5, "classifier-free guidance scale (measured: MODEL_CARD.md)", low=0.0, high=100.0
    )
    # 1: only with noise in every step is there a path KL, and so a grad on `guided`
    eta: float = option(
        1.0, "noise of a step; `grad` on `guided` needs more than 0", low=0.0, high=1.0
    )
    sampler: str = option("ddim", "ddim, dpmpp_2m (eta=0 alone), or one of a plug-in", later=True)
    passes: int = option(
        3,
        "passes of sampling, the first one unguided (the paper: 7 optimisation steps); `direct` "
        "has one with guidance",
        low=2,
        high=100,
    )
    bank: int = option(
        512, "samples of p_data for `importance` (feasible range 512 to 1024)", low=16, high=10**6
    )
    bank_steps: int = option(
        40,
        "`staged`: lower steps on the bank, before those on guided images",
        low=1,
        high=10**6,
        later=True,
    )
    images: int = option(32, "validation images of one evaluation on `guided`", low=1, high=10**5)
    test_images: int = option(
        80,
        "held-out images of the final measurement; more than the 64 features of the embedded judge",
        low=2,
        high=10**5,
    )
    micro_batch: int = option(
        80, "images sampled at once; changes memory, not results", low=1, high=10**5
    )
    # on two cores of a CPU 32 images fill a batch by themselves and gain nothing; with 4 images 4
    # points take 0.6 of the time (`python -m speed batches`); a GPU was not at hand
    lam_batch: int = option(
        1,
        "points whose images `guided` samples in one batch, `micro_batch` of them at a time; "
        "changes results by rounding alone",
        low=1,
        high=1000,
        later=True,
    )
    assets: str = option("", "folder of the embedded preset's files; empty: the shipped ones")
    # place: stored beside the identity, which has the hash of the content instead.  later: added
    # after results were stored, so identities leave it out while it is at its default
    model: str = option(
        "", "a Stable Diffusion folder or hub id; empty: the shipped one", place=True
    )
    revision: str = option(
        "",
        "commit of the hub id; empty: the pinned one of the default model, else the main branch",
        place=True,
    )
    variant: str = option(
        "", "variant of the weights: fp16 takes model.fp16.safetensors", later=True
    )
    clip: str = option(
        "", "r1: an open_clip NAME/WEIGHTS or folder; empty: the shipped one", place=True
    )
    reward_weights: str = option(
        "",
        "file or folder of the reward's network, with several a folder of such by their names; "
        "empty: where fetch puts it",
        place=True,
    )
    features: str = option(
        "judge",
        "network of FID: the embedded judge, or pytorch-fid's",
        choices=("judge", "inception"),
        later=True,
    )
    inception: str = option(
        "", "file of pytorch-fid's weights; empty: where its download puts it", place=True
    )
    reference: str = option(
        "",
        "what FID is measured against: unguided, a folder of pictures, or an .npz of pytorch-fid",
        place=True,
    )
    reference_images: int = option(
        64, "unguided images of the reference", low=2, high=10**6, later=True
    )
    size: int = option(0, "pixels of a side; 0: the model's own", low=0, high=8192, later=True)
    dtype: str = option(
        "fp32", "of U-Net and text encoder", choices=("fp32", "bf16", "fp16"), later=True
    )
    decode_dtype: str = option(
        "fp32", "of the autoencoder", choices=("fp32", "bf16", "fp16"), later=True
    )
    checkpointing: bool = option(
        False, "recompute instead of keeping: less memory, more time", later=True
    )
    channels_last: bool = option(False, "memory layout of U-Net and autoencoder", later=True)
    compile: bool = option(
        False, "torch.compile the U-Net where nothing is differentiated", later=True
    )
    taesd: str = option(
        "", "tiny autoencoder (folder or hub id) for the look-ahead; changes results", place=True
    )

    def __post_init__(self) -> None:
        if self.mode == "auto":
            # what a run stores is what it does
            object.__setattr__(self, "mode", "direct" if self.rewards else "tilt")
        several.check(self)

    yields = staticmethod(several.yields)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the lower rewards."""
        return tuple(n.strip() for n in self.rewards.split(",")) if self.rewards else (self.reward,)

    @property
    def guided_passes(self) -> int:
        # where the reward itself guides, a pass does not depend on the one before
        return 1 if self.mode == "direct" else self.passes - 1

    @property
    def space(self) -> Space:
        return several.space(self.names) if self.rewards else SPACE

    @property
    def folder(self) -> Path:
        from tasks.reward_ft import shipped

        return Path(self.assets) if self.assets else shipped.ASSETS

    def prompts(self) -> tuple[str, ...]:
        from tasks.reward_ft import assemble

        found = assemble.prompts(self)
        return (several.JOINT.join(found),) if self.together else found

    def check_prompt(self, prompt: str) -> None:
        from tasks.reward_ft import digits, prompts

        if self.together:
            several.check_prompts(self, prompt)
            return
        if not self.model:
            digits.parse(prompt)
        elif not prompt.strip():
            raise UsageError("--prompt: expected some words, got an empty text")
        # two prompts that a text encoder cuts to the same tokens would be one experiment twice
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
        """`bench fetch`: download what these options need and this machine lacks, or UsageError."""
        from tasks.files import download
        from tasks.reward_ft import assemble

        download.fetch(assemble.sources(self), dry_run, base)

    @property
    def advice(self) -> str:
        """Settings that take less memory, in the order in which to try them."""
        from tasks.reward_ft.advice import advice

        return advice(self)

    def memory(self, device: str) -> int:
        """Bytes at the peak of a run, estimated; 0: not known, or too few. Raises UsageError."""
        if not self.model:
            return 0
        from tasks.reward_ft import memory

        return memory.estimate(self, device)

    @property
    def counted(self) -> str:
        """What one evaluation is, and what it leaves out."""
        from tasks.reward_ft import assemble

        return assemble.COUNTED

    def prices(self, lower: str) -> Prices:
        """From the options and the scheduler's configuration alone. Raises UsageError."""
        from tasks.reward_ft import assemble

        return assemble.prices(self, lower)

    def tolerance(self, lower: str) -> float | None:
        """Of the hypergradient, relative; None for `guided`."""
        # the path KL is several times KL(p || p_data), and so is the hypergradient: 4.1 times a
        # difference of F at lam = 10, 5.3 at lam = 2 (embedded, 16 images, gamma = 1000)
        return 0.05 if lower == "importance" else None

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.reward_ft import opening

        return opening.opened(self, seed, prompt, lower, device)
