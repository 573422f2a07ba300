"""One step of the reverse process, from noisy to clean, for every task that samples.

x = sqrt(abar) x0 + sqrt(1 - abar) eps, all of one shape (N, C, H, W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from benchmark.errors import UsageError, format_error
from benchmark.registry import SAMPLERS, register_sampler

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Level", "Memory", "Prediction", "Solver", "Span", "register_sampler", "solver"]
Level: TypeAlias = "float | Tensor"
"""An abar in [0, 1]: one for all images, or one each, (N, 1, 1, 1)."""
Memory: TypeAlias = "tuple[Tensor, ...] | None"
"""What a sampler hands on from one step to the next; None before the first."""


class Prediction(NamedTuple):
    """What a model predicts in x: the noise and the clean image, both as x."""

    eps: Tensor
    x0: Tensor


@dataclass(frozen=True)
class Span:
    """A step from abar `now` to the larger abar `to`. last: no step follows."""

    now: Level
    to: Level
    last: bool = False


class Solver(Protocol):
    """What a sampler is. eta: 0 adds no noise, 1 as much as the forward process took.

    One prediction a step. A step that adds noise keeps no memory and is linear in x and in the
    prediction, so that the path KL of guidance is that of Gaussians.
    """

    def __init__(self, eta: float) -> None:
        """Raises UsageError for an eta that it cannot have."""

    def sigma(self, span: Span) -> Level:
        """Standard deviation of the noise that a step adds."""

    def step(
        self, x: Tensor, prediction: Prediction, span: Span, noise: Tensor | None, memory: Memory
    ) -> tuple[Tensor, Memory]:
        """The next x, and the memory for the step after it. noise: standard normal, as x, or None
        where sigma is 0.
        """


def root(value: Level) -> Level:
    """The square root, 0 where rounding left less than 0."""
    # numbers first: a plan has these alone, and imports no torch
    return math.sqrt(max(0.0, value)) if isinstance(value, float | int) else _root(value)


def _root(value: Tensor) -> Tensor:
    return value.clamp(min=0).sqrt()


def predicted(x: Tensor, out: Tensor, abar: Level, v: bool) -> Prediction:
    """Noise and clean image from a model's output `out` in x.

    v: the model predicts v = sqrt(abar) eps - sqrt(1 - abar) x0 (Salimans and Ho 2022), else eps.
    """
    signal, noise = root(abar), root(1 - abar)
    # v needs no division by sqrt(abar), so that it still gives x0 where abar = 0
    if v:
        return Prediction(signal * out + noise * x, signal * x - noise * out)
    return Prediction(out, (x - noise * out) / signal)


def solver(name: str, eta: float = 0.0) -> Solver:
    """A sampler by name. Raises UsageError, also for one of a plug-in that cannot be made."""
    kind = SAMPLERS.get(name)
    try:
        found: Solver = kind(eta)
    except UsageError:
        raise
    except Exception as error:  # a plug-in's constructor raises what it likes
        raise UsageError(
            f"sampler {name!r} cannot be made with eta = {eta:g}: {format_error(error)}"
        ) from error
    return found


def sampler_source(name: str) -> dict[str, str]:
    """SHA-256 of the code of a plug-in's sampler, by name; empty for a built-in one."""
    # a built-in sampler is in the hash of the task's own code
    built_in = SAMPLERS.complete()[name].built_in
    return {} if built_in else {f"sampler {name}": SAMPLERS.code(name)}
