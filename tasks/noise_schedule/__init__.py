"""noise_schedule: train a diffusion model and tune its schedule. Paper: Algorithms 3, 4 and 6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.errors import UsageError, refuse_prompt
from benchmark.options import option
from benchmark.protocol import Prices, Refit, Task
from benchmark.space import Space
from tasks.noise_schedule.presets import PRESETS

if TYPE_CHECKING:
    from tasks.noise_schedule.choices import Choices

_RANGE = "range LOW,HIGH of the search; empty: the suite's"


@dataclass(frozen=True)
class NoiseSchedule:
    """min over q of F, the Frechet distance of samples to validation images.

    Subject to theta = argmin G(q, theta), the denoising loss under the schedule abar(u; q).
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = PRESETS
    lowers: ClassVar[tuple[str, ...]] = ("",)
    imports: ClassVar[tuple[str, ...]] = (
        "tasks.noise_schedule.task",
        "diffusers.models.unets.unet_2d",
        "sklearn.datasets",
    )
    smallest: ClassVar[Mapping[str, object]] = {
        "channels": "8,16",
        "batch": 16,
        "horizon": 3,
        "steps": 3,
        "samples": 40,
        "grad_samples": 40,
        "test_samples": 40,
    }

    data: str = option(
        "digits", "scikit-learn's 8x8 scans, or MNIST from --data-dir", choices=("digits", "mnist")
    )
    train_images: int = option(0, "how many training images to use; 0: all", low=0, high=10**6)
    schedule: str = option(
        "cosine",
        "family of schedules",
        choices=("cosine", "sigmoid", "laplace", "logit_normal", "knots"),
    )
    knots: int = option(
        8, "knots of the log-SNR of `knots`, which has as many axes", low=3, high=32, later=True
    )
    tie: bool = option(
        True, "one schedule for training and sampling; false: axes for each", later=True
    )
    start: str = option("", f"{_RANGE}; of knots: the log-SNR at u = 0")
    end: str = option("", f"{_RANGE}; of knots: the log-SNR at u = 1")
    tau: str = option("", _RANGE)
    eps: str = option("", f"{_RANGE} (cosine only)")
    mu: str = option("", f"{_RANGE} (laplace, logit_normal)", later=True)
    scale: str = option("", f"{_RANGE} (laplace, logit_normal)", later=True)
    drop: str = option("", f"{_RANGE}, of each drop (knots only)", later=True)
    floor: float = option(1e-4, "abar is kept in [floor, 1 - floor]", low=1e-6, high=0.1)
    prediction: str = option(
        "epsilon", "what the network predicts", choices=("epsilon", "v_prediction")
    )
    # given the time, a network fits one schedule, and F elsewhere measures the mismatch: FID 5.14
    # against 1.76 (results/noise_schedule/ablations)
    conditioning: str = option(
        "noise",
        "input of the network beside the image: the noise level, or (the paper's) the time",
        choices=("noise", "time"),
    )
    channels: str = option("16,32", "channels of the U-Net's levels, multiples of 8")
    time_steps: int = option(1000, "time steps of training (the paper's)", low=1, high=10**6)
    # the fewer the steps, the more the schedule decides
    steps: int = option(5, "sampling steps, wherever images are sampled", low=1, high=10**6)
    sampler: str = option("ddim", "ddim, dpmpp_2m, or one of a plug-in", later=True)
    horizon: int = option(300, "training steps of one full fit", low=1, high=10**7)
    batch: int = option(128, "training images of a step (the paper's)", low=1, high=10**5)
    learning_rate: float = option(
        4e-3, "of AdamW (measured; the released code's is 1e-3)", low=0.0, high=1.0
    )
    ema: float = option(
        0.99,
        "decay of the average of the weights, which F uses (released code: 0.995)",
        low=0,
        high=1,
    )
    samples: int = option(512, "images of one evaluation of F", low=2, high=10**6)
    grad_samples: int = option(128, "images of each F in a difference", low=2, high=10**6)
    nu: float = option(
        0.01, "perturbation of zeroth-order derivatives (the paper's)", low=1e-6, high=0.1
    )
    directions: int = option(
        1, "random directions of d_q F; 0: one for each coordinate", low=0, high=64
    )
    by_q: str = option(
        "zeroth_order",
        "d_q F: by differences along `directions`, the paper's; or through all sampling steps",
        choices=("zeroth_order", "autograd"),
        later=True,
    )
    theta: str = option(
        "zeroth_order",
        "d_theta F in a tilted step; zeroth_order: the paper's; none: left out, so that z equals y "
        "and gamma has no effect",
        choices=("none", "zeroth_order", "truncated"),
    )
    truncation: int = option(
        2, "last sampling steps that `truncated` differentiates", low=1, high=10**6
    )
    common: bool = option(True, "common random numbers in all differences; false for the ablation")
    features: str = option(
        "classifier",
        "features of the Frechet distance: the data's own classifier, or pytorch-fid's network",
        choices=("classifier", "inception"),
    )
    test_samples: int = option(2000, "held-out images of the final measurement", low=2, high=10**6)
    micro_batch: int = option(
        1024,
        "images sampled at once; changes memory, and results by rounding alone",
        low=1,
        high=10**6,
    )

    def __post_init__(self) -> None:
        from tasks.samplers.protocol import solver

        solver(self.sampler)
        self.choices.space()
        if not self.tie and self.conditioning == "time":
            raise UsageError(
                "option noise_schedule.tie: expected true with conditioning=time, for a network "
                "that knows the time alone can be sampled with the schedule it was trained with; "
                "set noise_schedule.conditioning=noise"
            )
        if not 1 <= len(self.widths) <= 3 or any(c < 8 or c % 8 or c > 4096 for c in self.widths):
            raise UsageError(
                "option noise_schedule.channels: expected one to three multiples of 8 up to 4096, "
                f"such as 16,32, got {self.channels!r}"
            )
        if self.steps > self.time_steps:
            raise UsageError(
                f"option noise_schedule.steps: expected at most time_steps = {self.time_steps}, "
                f"got {self.steps}"
            )
        if self.theta == "truncated" and self.truncation > self.steps:
            raise UsageError(
                f"option noise_schedule.truncation: expected at most steps = {self.steps}, got "
                f"{self.truncation}"
            )
        self._check_samples()

    def _check_samples(self) -> None:
        """Raise UsageError for fewer images than the Frechet distance has features."""
        from tasks.measure import inception
        from tasks.noise_schedule import shipped

        with_inception = self.features == "inception"
        dim = inception.DIM if with_inception else shipped.SHAPES[self.data].dim
        if self.data == "digits" and with_inception:
            raise UsageError(
                "option noise_schedule.features: expected classifier with data=digits, whose "
                f"references of 599 images are too few for the {dim} features of inception; set "
                "noise_schedule.data=mnist"
            )
        for name in ("samples", "grad_samples", "test_samples"):
            if getattr(self, name) <= dim:
                raise UsageError(
                    f"option noise_schedule.{name}: expected more than the {dim} features of the "
                    f"Frechet distance, got {getattr(self, name)}; with fewer images its "
                    "covariance is singular"
                )

    @property
    def choices(self) -> Choices:
        """What is chosen of the schedule."""
        from tasks.noise_schedule.choices import Choices

        names = ("start", "end", "tau", "eps", "mu", "scale", "drop")
        ranges = {name: getattr(self, name) for name in names}
        return Choices(self.schedule, ranges, self.knots, self.tie)

    @property
    def space(self) -> Space:
        return self.choices.space()

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the U-Net's levels; empty where the text is none."""
        try:
            return tuple(int(part) for part in self.channels.split(","))
        except ValueError:
            return ()

    def prompts(self) -> tuple[str, ...]:
        return ("",)

    def check_prompt(self, prompt: str) -> None:
        refuse_prompt("noise_schedule", prompt)

    @property
    def refit(self) -> Refit:
        """Which schedule is best depends on the length of training, so there are two."""
        return Refit((self.horizon, 4 * self.horizon), 2, ("fid", "inception_score"))

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.noise_schedule.fingerprint import fingerprint

        return fingerprint(self)

    @property
    def counted(self) -> str:
        """What one evaluation is, and what it leaves out."""
        # measured by `python -m speed flops`, embedded preset: of a step 0.0 % is left out, of a
        # tilted step 2.8 %, of F 3.6 %; d_q G counts 3 passes of its batch and takes 2
        return (
            "one evaluation is one pass of the U-Net for one image, three where it is "
            "differentiated; not counted: the network of the Frechet distance (3.6 % of the "
            "arithmetic of F with the digits' classifier), the optimiser"
        )

    def prices(self, lower: str) -> Prices:
        """Network evaluations of each request."""
        # a differentiated pass counts 3; a difference has two sides, each of whole samples
        trained, side = 3 * self.batch, self.grad_samples * self.steps
        by_theta = {
            "none": 0,
            "zeroth_order": 2 * side,
            "truncated": side + 2 * self.grad_samples * self.truncation,
        }[self.theta]
        by_q = 2 * side * (self.directions or len(self.choices.sampled))
        if self.by_q == "autograd":
            by_q = 3 * side
        return Prices(
            init=0,
            step=trained,
            loss=self.samples * self.steps,
            grad=trained,
            tilted_step=trained + by_theta,
            tilted_grad=trained + by_q,
            horizon=self.horizon,
        )

    def tolerance(self, lower: str) -> float | None:
        """None: no tolerance can be stated."""
        # d_theta F is estimated in one random direction, or left out, and differences of F over
        # full fits are noise: along tau -1.7 and 4.5 at steps of 0.02 and 0.05 (embedded, seed 0)
        return None

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.noise_schedule.task import NoiseScheduleTask

        return NoiseScheduleTask(self, seed, device)
