"""Time steps and levels of noise of a model's scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
# of a configuration that `plain` knows, what else there may be in its file
_FIXED: Mapping[str, object] = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "trailing",
    "trained_betas": None,
    "rescale_betas_zero_snr": False,
    "clip_sample": False,
    "thresholding": False,
}
_FREE = {
    "_diffusers_version",
    "beta_start",
    "beta_end",
    "num_train_timesteps",
    "prediction_type",
    "set_alpha_to_one",
    "steps_offset",
    "clip_sample_range",
    "dynamic_thresholding_ratio",
    "sample_max_value",
}


@dataclass(frozen=True)
class Levels:
    """t: of the steps, from noisy to clean.  abar: by t, (trained,).  last: after the last step.

    v: the model predicts v, else eps.
    """

    t: list[int]
    abar: Table
    last: float
    v: bool


def plain(config: Mapping[str, Any], steps: int) -> Levels | None:
    """Those of diffusers' DDIM up to rounding, by numpy alone, so that a plan waits for no more.

    None for a configuration other than the shipped one but for its numbers, and for more steps
    than it was trained with: what is wrong there diffusers says.
    """
    if any(name not in config or config[name] != value for name, value in _FIXED.items()):
        return None
    if set(config) != _FREE | set(_FIXED):
        return None
    trained, low, high = (config[n] for n in ("num_train_timesteps", "beta_start", "beta_end"))
    numbers = type(trained) is int and all(type(v) is float for v in (low, high))
    if not (numbers and steps <= trained and 0 < low < high < 1):
        return None
    if config["prediction_type"] not in ("epsilon", "v_prediction"):
        return None
    abar = np.cumprod(1 - np.linspace(low**0.5, high**0.5, trained) ** 2)
    t = np.round(np.arange(trained, 0, -trained / steps)).astype(np.int64) - 1
    last = 1.0 if config["set_alpha_to_one"] else float(abar[0])
    return Levels(t.tolist(), abar, last, config["prediction_type"] == "v_prediction")
