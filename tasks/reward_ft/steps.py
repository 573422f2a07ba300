"""The time steps of sampling for a scheduler's configuration, and what each does to a latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.errors import UsageError, format_error
from tasks.reward_ft.levels import Levels, Table
from tasks.samplers.protocol import Memory, Prediction, Solver, Span, predicted, solver

if TYPE_CHECKING:
    from torch import Tensor

_STEPS = "option reward_ft.steps"
_CONFIG = "scheduler/scheduler_config.json"


@dataclass(frozen=True)
class Schedule:
    """The time steps of diffusers' DDIM, whatever the sampler, from noisy to clean.

    t, abar_t, abar_{t-1}, and the deviation sigma_t of the solver's noise: each (steps,).
    v: the model predicts v, else eps.
    """

    t: tuple[int, ...]
    abar: tuple[float, ...]
    previous: tuple[float, ...]
    sigma: tuple[float, ...]
    v: bool
    solver: Solver

    @classmethod
    def of(cls, scheduler: Any, steps: int, eta: float, sampler: str = "ddim") -> Schedule:
        """Raises UsageError for what cannot be sampled."""
        return cls.at(_levels(scheduler, steps), steps, eta, sampler)

    @classmethod
    def at(cls, levels: Levels, steps: int, eta: float, sampler: str) -> Schedule:
        """Raises UsageError for what cannot be sampled."""
        t, table, v = levels.t, levels.abar, levels.v
        _check_steps(t, len(table), steps)
        stride = len(table) // steps
        abar = table[t]
        previous = np.array([table[k - stride] if k >= stride else levels.last for k in t])
        # only v means something where abar = 0 (zero terminal SNR, Lin et al. 2023)
        _check(t, abar, previous, v)
        chosen = solver(sampler, eta)
        spans = [Span(a, p) for a, p in zip(abar, previous, strict=True)]
        sigma = tuple(float(chosen.sigma(span)) for span in spans)
        return cls(tuple(t), tuple(abar), tuple(previous), sigma, v, chosen)

    @property
    def guided(self) -> tuple[bool, ...]:
        """Whether guidance acts, for each step."""
        # not at a step without noise among steps with noise: the path KL would be inf; not where
        # abar = 0: z tells nothing of the image, and a change of eps would move z_0 without limit
        noisy = any(self.sigma)
        return tuple(
            a > 0 and (s > 0 or not noisy) for a, s in zip(self.abar, self.sigma, strict=True)
        )

    def _span(self, k: int) -> Span:
        return Span(self.abar[k], self.previous[k], k == len(self.t) - 1)

    def coefficient(self, k: int) -> float:
        """c_t: what one unit of eps adds to z_{t-1}, with z_t as it is."""
        import torch

        eps = torch.ones((), dtype=torch.float64)
        z = torch.zeros_like(eps)
        moved, _ = self.solver.step(
            z, predicted(z, eps, self.abar[k], v=False), self._span(k), None, None
        )
        return float(moved)

    def shifted(self, k: int, out: Tensor, change: Tensor) -> Tensor:
        """The model's prediction whose eps is that of `out` and a change; not where abar = 0."""
        return out + (change / self.abar[k] ** 0.5 if self.v else change)

    def predicted(self, k: int, z: Tensor, out: Tensor) -> Prediction:
        """eps and z_0 from what the model predicts in z_t."""
        return predicted(z, out, self.abar[k], self.v)

    def step(
        self, k: int, z: Tensor, out: Tensor, noise: Tensor, memory: Memory = None
    ) -> tuple[Tensor, Memory]:
        """z_{t-1} from z_t and what the model predicts, and the solver's memory.

        Raises ValueError for a solver that adds noise and keeps a memory.
        """
        z, memory = self.solver.step(z, self.predicted(k, z, out), self._span(k), noise, memory)
        if self.sigma[k] > 0 and memory is not None:
            raise ValueError(
                f"{type(self.solver).__name__}: expected a step that adds noise to keep no memory, "
                "through which earlier guidance would act outside the path KL; return None for it"
            )
        return z, memory


def _levels(scheduler: Any, steps: int) -> Levels:
    """Of a scheduler of diffusers. Raises UsageError."""
    try:
        scheduler.set_timesteps(steps)
    except Exception as error:  # more steps than it was trained with, an unknown spacing
        reason = format_error(error)[:300]
        raise UsageError(
            f"{_STEPS}: {steps} do not go with this model's scheduler: {reason}"
        ) from error
    t = [int(v) for v in scheduler.timesteps]
    table: Table = scheduler.alphas_cumprod.double().numpy()
    trained = scheduler.config.num_train_timesteps
    if len(table) != trained:
        raise UsageError(
            f"model: {_CONFIG}: expected as many trained_betas as num_train_timesteps = {trained}, "
            f"got {len(table)}"
        )
    v = scheduler.config.prediction_type == "v_prediction"
    return Levels(t, table, float(scheduler.final_alpha_cumprod), v)


def _check_steps(t: list[int], trained: int, steps: int) -> None:
    """Raises UsageError for time steps that the scheduler's table has not."""
    if t[0] >= trained:
        raise UsageError(
            f"{_STEPS}: {steps} are too many for this model's scheduler; take half as many"
        )
    if t[-1] < 0:
        raise UsageError(
            f"{_STEPS}: {steps} lead to t = {t[-1]} in this model's scheduler; take one more or "
            "less"
        )


def _check(t: list[int], abar: Table, previous: Table, v: bool) -> None:
    """Raises UsageError for levels of noise from which no image follows."""
    if not v and not abar.all():
        raise UsageError(
            "model: it predicts the noise, and its scheduler leaves nothing but noise at "
            f"t = {t[int(abar.argmin())]} (abar = 0), from which no image follows; set "
            f"rescale_betas_zero_snr to false in {_CONFIG}, or prediction_type to v_prediction if "
            "the model was trained so"
        )
    grows = (abar < 1) & (abar <= previous) & (previous > 0) & (previous <= 1)
    if not grows.all():
        k = int(np.argmin(grows))
        raise UsageError(
            f"model: {_CONFIG}: expected noise that grows with t, got abar = {abar[k]:.4g} at "
            f"t = {t[k]} and {previous[k]:.4g} before it; mend its betas"
        )


def shortest(scheduler: Any, eta: float) -> Schedule:
    """The fewest steps of which one is guided: 1, but with zero terminal SNR a few more."""
    for steps in (1, 2, 3):
        found = Schedule.of(scheduler, steps, eta)
        if any(found.guided):
            break
    return found
