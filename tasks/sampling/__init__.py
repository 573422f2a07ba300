"""sampling: how to sample from a model that one has, at a fixed number of network calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmark.errors import UsageError, refuse_prompt
from benchmark.options import option
from benchmark.protocol import Prices, Task, Use
from benchmark.space import Native, Space
from tasks.reward_ft.presets import IMPORTS

LEAST = 2
"""Images that have a covariance."""


@dataclass(frozen=True)
class SamplingMaker:
    """min over lam of F, the Frechet distance to real images or minus the CLIP score.

    lam: strength of classifier-free guidance, its interval, rescale, time steps, eta and solver.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "embedded": {},
        "paper": {
            "model": "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "clip": "ViT-B-16-quickgelu/openai",
            "objective": "clip",
            "cfg": 7.5,
            "images": 16,
            "test_images": 64,
            "micro_batch": 4,
        },
    }
    lowers: ClassVar[tuple[str, ...]] = ("",)
    imports: ClassVar[tuple[str, ...]] = ("tasks.sampling.opening", *IMPORTS)
    smallest: ClassVar[Mapping[str, object]] = {"evaluations": 3, "images": 12, "test_images": 8}

    objective: str = option(
        "frechet",
        "F: the Frechet distance to real images, or minus the CLIP score",
        choices=("frechet", "clip"),
    )
    evaluations: int = option(
        10,
        "calls of the network for an image, at most; with guidance a call is two passes",
        low=2,
        high=200,
    )
    knots: int = option(
        0, "parts of the time steps with a gap each as an axis; 0: one exponent", low=0, high=32
    )
    solvers: str = option(
        "",
        "names that a search may choose, with commas, the default first; empty: all that "
        "tasks/sampling/solvers.py has",
        later=True,
    )
    cfg: float = option(
        1.5,
        "guidance of the default and of the lines of reference (embedded: MODEL_CARD.md)",
        low=1.0,
        high=15.0,
    )
    images: int = option(256, "validation images of one F", low=1, high=10**5)
    test_images: int = option(400, "held-out images of the final measurement", low=2, high=10**5)
    micro_batch: int = option(
        256, "images sampled at once; changes memory, not results", low=1, high=10**5
    )
    prompts_file: str = option(
        "",
        "text file with a prompt a line, every other one held out; empty: the suite's",
        place=True,
    )
    assets: str = option("", "folder of the embedded preset's files; empty: the shipped ones")
    model: str = option(
        "", "a Stable Diffusion folder or hub id; empty: the shipped one", place=True
    )
    revision: str = option(
        "",
        "commit of the hub id; empty: the pinned one of the default model, else the main branch",
        place=True,
    )
    variant: str = option("", "variant of the weights: fp16 takes model.fp16.safetensors")
    clip: str = option(
        "", "an open_clip NAME/WEIGHTS or folder; empty: the shipped one", place=True
    )
    inception: str = option(
        "", "file of pytorch-fid's weights; empty: where its download puts it", place=True
    )
    reference: str = option(
        "",
        "of a model of yours: a folder of pictures or an .npz of pytorch-fid; empty: none, and no "
        "Frechet distance",
        place=True,
    )
    size: int = option(0, "pixels of a side; 0: the model's own", low=0, high=8192)
    dtype: str = option("fp32", "of U-Net and text encoder", choices=("fp32", "bf16", "fp16"))
    decode_dtype: str = option("fp32", "of the autoencoder", choices=("fp32", "bf16", "fp16"))

    def __post_init__(self) -> None:
        from tasks.sampling.plan import solvers, trailing
        from tasks.sampling.solvers import SOLVERS

        if len(trailing(self.evaluations)) != self.evaluations:
            raise UsageError(
                "option sampling.evaluations: expected a number for which diffusers' trailing time "
                f"steps are as many, got {self.evaluations}; take one more or less"
            )
        if self.knots > self.evaluations:
            raise UsageError(
                "option sampling.knots: expected at most sampling.evaluations, for a call has one "
                f"time step, got {self.knots} and {self.evaluations}"
            )
        spaced = [name for name, solver in SOLVERS.items() if solver.spaced]
        if not set(solvers(self)) & set(spaced) and self.knots:
            raise UsageError(
                "option sampling.knots: expected 0 beside sampling.solvers that have trailing time "
                f"steps alone, got {self.knots} and {self.solvers}; add one of "
                f"{', '.join(spaced)}"
            )
        if self.objective == "frechet" and self.images < LEAST:
            raise UsageError(
                f"option sampling.images: expected {LEAST} or more for a Frechet distance, got "
                f"{self.images}; or set sampling.objective=clip"
            )
        if self.objective == "frechet" and self.model and not self.reference:
            raise UsageError(
                "option sampling.objective: expected clip, or --set sampling.reference=FOLDER "
                "beside a model of yours, got frechet without real images"
            )
        if self.reference and not self.model:
            raise UsageError(
                "option sampling.reference: the embedded preset has real pictures of its own, got "
                f"{self.reference!r}; leave it out, or set sampling.model"
            )
        if bool(self.model) != bool(self.clip):
            what, other = ("clip", "model") if self.model else ("model", "clip")
            raise UsageError(
                f"option sampling.{what}: expected one beside sampling.{other}; the shipped ones "
                "know coloured digits alone"
            )

    @property
    def space(self) -> Space:
        from tasks.sampling.plan import space

        return space(self)

    @property
    def folder(self) -> Path:
        from tasks.reward_ft import shipped

        return Path(self.assets) if self.assets else shipped.ASSETS

    def prompts(self) -> tuple[str, ...]:
        return ("",)

    def check_prompt(self, prompt: str) -> None:
        refuse_prompt("sampling", prompt)

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.sampling import assemble

        return assemble.fingerprint(self)

    def fetch(self, dry_run: bool, base: str) -> None:
        """`bench fetch`: download what these options need and this machine lacks, or UsageError."""
        from tasks.files import download
        from tasks.sampling import assemble

        download.fetch(assemble.sources(self), dry_run, base)

    @property
    def counted(self) -> str:
        return (
            "one evaluation is one pass of the U-Net for one image, two with classifier-free "
            "guidance; not counted: autoencoder, text encoder, CLIP and the network of F"
        )

    def prices(self, lower: str) -> Prices:
        """Of guidance at every call; less is taken where there is none."""
        loss = 2 * self.evaluations * self.images
        return Prices(
            init=0,
            step=0,
            loss=loss,
            grad=0,
            tilted_step=0,
            tilted_grad=2 * int(self.space.ordered.sum()) * loss,
            horizon=1,
            bound=True,
        )

    def tolerance(self, lower: str) -> float | None:
        """None: time steps are whole, so that a narrow difference of F shows their rounding."""
        return None

    def use(self, lam: Mapping[str, Native]) -> Use:
        """Code for a StableDiffusionPipeline of the same model, and its values."""
        from tasks.sampling import paste
        from tasks.sampling.plan import plan

        at = self.space
        return paste.use(plan(self, at, at.point(lam)))

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.sampling import opening

        return opening.opened(self, seed, device)
