"""The time steps of sampling: which there are for a scheduler's configuration, and what each of them does to a latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from benchmark.errors import UsageError, one_line

_STEPS = "option reward_ft.steps"
_CONFIG = "scheduler/scheduler_config.json"


@dataclass(frozen=True)
class Schedule:
    """The DDIM steps (Song et al. 2021, eq. 12 and 16): t, abar_t, abar_{t-1}, and the noise sigma_t, each (steps,).

    v: the model predicts v = sqrt(abar) eps - sqrt(1 - abar) z_0 (Salimans and Ho 2022), which alone means something
    where abar = 0 (zero terminal SNR, Lin et al. 2023); else eps.
    """

    t: tuple[int, ...]
    abar: tuple[float, ...]
    previous: tuple[float, ...]
    sigma: tuple[float, ...]
    v: bool = False

    @classmethod
    def of(cls, scheduler: Any, steps: int, eta: float) -> Schedule:
        """Raises UsageError for what cannot be sampled."""
        try:
            scheduler.set_timesteps(steps)
        except Exception as error:  # more steps than it was trained with, an unknown spacing
            said = one_line(f"{type(error).__name__}: {error}")[:300]
            raise UsageError(f"{_STEPS}: {steps} do not go with this model's scheduler: {said}") from error
        t = [int(v) for v in scheduler.timesteps]
        table = scheduler.alphas_cumprod.double().numpy()
        trained = scheduler.config.num_train_timesteps
        if len(table) != trained:
            raise UsageError(
                f"model: {_CONFIG}: expected as many trained_betas as num_train_timesteps = {trained}, got {len(table)}"
            )
        if t[0] >= len(table):
            raise UsageError(f"{_STEPS}: {steps} are too many for this model's scheduler; take half as many")
        if t[-1] < 0:
            raise UsageError(f"{_STEPS}: {steps} lead to t = {t[-1]} in this model's scheduler; take one more or less")
        stride = trained // steps
        abar = table[t]
        previous = np.array([table[v - stride] if v >= stride else float(scheduler.final_alpha_cumprod) for v in t])
        found_v = scheduler.config.prediction_type == "v_prediction"
        if not found_v and not abar.all():
            raise UsageError(
                f"model: it predicts the noise, and its scheduler leaves nothing but noise at t = {t[int(abar.argmin())]} "
                f"(abar = 0), from which no image follows; set rescale_betas_zero_snr to false in {_CONFIG}, or "
                "prediction_type to v_prediction if the model was trained so"
            )
        with np.errstate(all="ignore"):
            sigma = eta * np.sqrt((1 - previous) / (1 - abar) * (1 - abar / previous))
        if not np.isfinite(sigma).all() or not (previous > 0).all():
            k = int(np.argmin(np.isfinite(sigma) & (previous > 0)))
            raise UsageError(
                f"model: {_CONFIG}: expected noise that grows with t, got abar = {abar[k]:.4g} at t = {t[k]} and "
                f"{previous[k]:.4g} before it; mend its betas"
            )
        return cls(tuple(t), tuple(abar), tuple(previous), tuple(sigma), found_v)

    @property
    def guided(self) -> tuple[bool, ...]:
        """Where guidance acts: everywhere, but with noise in other steps not where none hides it, else the path KL is inf.
        Nor where abar = 0: there z tells nothing of the image, and a change of eps would be an infinite one of z_0.
        """
        noisy = any(self.sigma)
        return tuple(a > 0 and (s > 0 or not noisy) for a, s in zip(self.abar, self.sigma, strict=True))

    def coefficient(self, k: int) -> float:
        """c_t: what one unit of eps adds to z_{t-1}."""
        return float(self._direction(k) - (self.previous[k] * (1 - self.abar[k]) / self.abar[k]) ** 0.5)

    def _direction(self, k: int) -> float:
        return float(max(0.0, 1 - self.previous[k] - self.sigma[k] ** 2) ** 0.5)  # below 0 by rounding where abar = 0

    def shifted(self, k: int, out: Tensor, change: Tensor) -> Tensor:
        """The model's prediction whose eps is that of `out` and a change; not where abar = 0."""
        return out + (change / self.abar[k] ** 0.5 if self.v else change)

    def clean(self, k: int, z: Tensor, out: Tensor) -> Tensor:
        """The look-ahead prediction of z_0 from what the model predicts."""
        signal, noise = self.abar[k] ** 0.5, (1 - self.abar[k]) ** 0.5
        z0: Tensor = signal * z - noise * out if self.v else (z - noise * out) / signal
        return z0

    def step(self, k: int, z: Tensor, out: Tensor, noise: Tensor) -> Tensor:
        """z_{t-1} from z_t and what the model predicts."""
        mean: Tensor
        if self.v:
            eps = self.abar[k] ** 0.5 * out + (1 - self.abar[k]) ** 0.5 * z
            mean = self.previous[k] ** 0.5 * self.clean(k, z, out) + self._direction(k) * eps
        else:
            mean = (self.previous[k] / self.abar[k]) ** 0.5 * z + self.coefficient(k) * out
        return mean + self.sigma[k] * noise


def shortest(scheduler: Any, eta: float) -> Schedule:
    """The fewest steps of which one is guided: 1, but with zero terminal SNR a few more."""
    for steps in (1, 2, 3):
        found = Schedule.of(scheduler, steps, eta)
        if any(found.guided):
            break
    return found
