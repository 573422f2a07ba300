"""noise_schedule: the noise schedule of a diffusion model trained from scratch. Algorithms 3, 4 and 6 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark.errors import UsageError, refuse_prompt
from benchmark.options import option
from benchmark.protocol import Prices, Task

_RANGE = "range LOW,HIGH of the search; empty: the suite's"


@dataclass(frozen=True)
class NoiseSchedule:
    """min over q of F = Frechet distance of DDIM samples to validation images, subject to theta = argmin G(q, theta),
    G the denoising loss under the schedule abar(u; q).
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "embedded": {  # initial: else a minute of trials never reaches the model
            "bilevel.steps_y": 10, "bilevel.gamma": 10.0, "bayesian.initial": 2,
        },
        "paper": {  # S_y = 20 for each of the 391 batches of the first epoch, then 10; S_z = 1, nu, batch, time steps: defaults
            "data": "mnist", "channels": "64,128,128", "steps": 100, "horizon": 20 * 391, "learning_rate": 1e-3,
            "ema": 0.995, "tau": "1,4", "samples": 512, "test_samples": 5000, "bilevel.steps_y": 10, "bilevel.gamma": 10.0,
            "bayesian.trials": 15,
        },
        "paper-small": {  # for a CPU: fewer images, a smaller network, smaller batches, fewer steps of everything
            "data": "mnist", "train_images": 10000, "channels": "8,16,32", "horizon": 300, "batch": 64,
            "tau": "1,4", "prediction": "v_prediction", "test_samples": 5000, "bilevel.steps_y": 20, "bilevel.gamma": 10.0,
            "bilevel.iterations": 40, "bayesian.initial": 2, "bayesian.trials": 15,
        },
    }  # fmt: skip
    lowers: ClassVar[tuple[str, ...]] = ("",)
    smallest: ClassVar[Mapping[str, object]] = {
        "channels": "8,16", "batch": 16, "horizon": 3, "steps": 3, "samples": 40, "grad_samples": 40, "test_samples": 40,
    }  # fmt: skip

    data: str = option("digits", "scikit-learn's 8x8 scans, or MNIST from --data-dir", choices=("digits", "mnist"))
    train_images: int = option(0, "use so many of the training images; 0: all", low=0, high=10**6)
    schedule: str = option("cosine", "family of schedules", choices=("cosine", "sigmoid"))
    start: str = option("", _RANGE)
    end: str = option("", _RANGE)
    tau: str = option("", _RANGE)
    eps: str = option("", f"{_RANGE} (cosine only)")
    floor: float = option(1e-4, "abar is kept in [floor, 1 - floor]", low=1e-6, high=0.1)
    prediction: str = option("epsilon", "what the network predicts", choices=("epsilon", "v_prediction"))
    conditioning: str = option(
        "noise", "what the network is told: the noise level, or (the paper's) the time", choices=("noise", "time")
    )
    channels: str = option("16,32", "channels of the U-Net's levels, multiples of 8")
    time_steps: int = option(1000, "time steps of training (the paper's)", low=1, high=10**6)
    steps: int = option(5, "DDIM steps, wherever images are sampled", low=1, high=10**6)
    horizon: int = option(300, "training steps of one full fit", low=1, high=10**7)
    batch: int = option(128, "training images of a step (the paper's)", low=1, high=10**5)
    learning_rate: float = option(4e-3, "of AdamW (measured; the released code's is 1e-3)", low=0.0, high=1.0)
    ema: float = option(0.99, "decay of the average of the weights, which F uses (released code: 0.995)", low=0, high=1)
    samples: int = option(512, "images of one evaluation of F", low=2, high=10**6)
    grad_samples: int = option(128, "images of each F in a difference", low=2, high=10**6)
    nu: float = option(0.01, "perturbation of zeroth-order derivatives (the paper's)", low=1e-6, high=0.1)
    directions: int = option(1, "random directions of d_q F; 0: the coordinates, four times as dear", low=0, high=64)
    theta: str = option(
        "zeroth_order",
        "d_theta F in a tilted step; zeroth_order is the paper's; none ignores the response of the weights: z equals y, "
        "both G terms cancel and gamma plays no part",
        choices=("none", "zeroth_order", "truncated"),
    )
    truncation: int = option(2, "last DDIM steps that `truncated` differentiates", low=1, high=10**6)
    common: bool = option(True, "common random numbers in all differences; false for the ablation")
    features: str = option(
        "classifier", "of the Frechet distance: the data's own, or pytorch-fid's", choices=("classifier", "inception")
    )
    test_samples: int = option(2000, "held-out images of the final measurement", low=2, high=10**6)
    micro_batch: int = option(
        1024, "images sampled at once; changes memory, and results by rounding alone", low=1, high=10**6
    )

    def __post_init__(self) -> None:
        from tasks.noise_schedule import features
        from tasks.noise_schedule.schedule import space

        space(self.schedule, self.ranges)
        if not 1 <= len(self.widths) <= 3 or any(c < 8 or c % 8 or c > 4096 for c in self.widths):
            raise UsageError(
                "option noise_schedule.channels: expected one to three multiples of 8 up to 4096, such as 16,32, "
                f"got {self.channels!r}"
            )
        if self.steps > self.time_steps:
            raise UsageError(
                f"option noise_schedule.steps: expected at most time_steps = {self.time_steps}, got {self.steps}"
            )
        if self.theta == "truncated" and self.truncation > self.steps:
            raise UsageError(
                f"option noise_schedule.truncation: expected at most steps = {self.steps}, got {self.truncation}"
            )

        dim = features.INCEPTION_DIM if self.features == "inception" else features.SHAPES[self.data].dim
        if self.data == "digits" and self.features == "inception":
            raise UsageError(
                f"option noise_schedule.features: expected classifier with data=digits, whose references of 599 images "
                f"are too few for the {dim} features of inception; set noise_schedule.data=mnist"
            )
        for name in ("samples", "grad_samples", "test_samples"):
            if getattr(self, name) <= dim:
                raise UsageError(
                    f"option noise_schedule.{name}: expected more than the {dim} features of the Frechet distance, "
                    f"got {getattr(self, name)}; with fewer images its covariance is singular"
                )

    @property
    def ranges(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("start", "end", "tau", "eps")}

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

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.noise_schedule.task import fingerprint

        return fingerprint(self)

    @property
    def counted(self) -> str:
        """By arithmetic (`python -m benchmarks flops`, the embedded preset) 0.0 % of a step is left out, 2.8 % of a tilted step
        and 3.6 % of F; d_q G is counted as 3 passes of its batch and takes the arithmetic of 2.
        """
        return (
            "one evaluation is one pass of the U-Net for one image, three where it is differentiated; not counted: the network "
            "of the Frechet distance (3.6 % of the arithmetic of F with the digits' classifier), the optimiser"
        )

    def prices(self, lower: str) -> Prices:
        """`directions` of d_q F have two sides each; d_theta F is zeroth order (two sides) or back-propagation."""
        from tasks.noise_schedule.schedule import PARAMETERS

        trained, side = 3 * self.batch, self.grad_samples * self.steps
        by_theta = {
            "none": 0,
            "zeroth_order": 2 * side,
            "truncated": side + 2 * self.grad_samples * self.truncation,
        }[self.theta]
        by_q = 2 * side * (self.directions or len(PARAMETERS[self.schedule]))
        return Prices(
            init=0, step=trained, loss=self.samples * self.steps, grad=trained,
            tilted_step=trained + by_theta, tilted_grad=trained + by_q, horizon=self.horizon,
        )  # fmt: skip

    def tolerance(self, lower: str) -> float | None:
        """None: the response of the weights is estimated at one random direction, or left out, and a difference of F over full
        fits is itself noise: along tau it was -1.7 and 4.5 at steps of 0.02 and 0.05 (embedded, seed 0).
        """
        return None

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.noise_schedule.task import NoiseScheduleTask

        return NoiseScheduleTask(self, seed, device)
