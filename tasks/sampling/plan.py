"""From a point of the search space to what a sampler does: a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError
from benchmark.space import Choice, Float, Lam, Space
from tasks.sampling.solvers import SOLVERS

if TYPE_CHECKING:
    from tasks.sampling import SamplingMaker

TRAINED = 1000
"""Time steps that a Stable Diffusion model was trained with."""
_GAP = "gap_"
# a plan is what is pasted elsewhere, where 17 digits help nobody
_DIGITS = 6


@dataclass(frozen=True)
class Plan:
    """solver: a name in SOLVERS, or a scheduler class of diffusers with its `config`.

    steps, timesteps: how many, and which; None for the scheduler's own.  weights: the strength of
    classifier-free guidance at each call of the network, 1: none.  rescale: guidance rescale (Lin
    et al. 2024).  eta: noise of a step, where the solver takes it.
    """

    solver: str
    steps: int
    timesteps: tuple[int, ...] | None
    weights: tuple[float, ...]
    rescale: float = 0.0
    eta: float = 0.0
    config: Mapping[str, object] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """Of the U-Net for one image: two where there is guidance."""
        return sum(2 if w > 1 else 1 for w in self.weights)


def space(o: SamplingMaker) -> Space:
    """cfg, start, stop, rescale, the time steps, eta and the solver; without axes that do nothing.

    start, stop: guidance acts from `start` to `stop`, as shares of the calls of the network.
    spacing: t falls as (1 - i/n)^spacing; 1 is trailing, more has its steps at little noise.
    gap_k: with o.knots, how far t falls in the k-th part of the steps, relative to the others.
    """
    names = solvers(o)
    axes: list[Float | Choice] = [
        Float("cfg", 1.0, 15.0, default=o.cfg, log=True, grid=(1.5, 3.0, 7.5)),
        Float("start", 0.0, 1.0, default=0.0, grid=(0.0, 0.3)),
        Float("stop", 0.0, 1.0, default=1.0, grid=(0.7, 1.0)),
        Float("rescale", 0.0, 1.0, default=0.0, grid=(0.0,)),
    ]
    if o.knots:
        axes += [
            Float(f"{_GAP}{k}", 0.1, 10.0, default=1.0, log=True, grid=(1.0,))
            for k in range(1, o.knots + 1)
        ]
    elif any(SOLVERS[name].spaced for name in names):
        axes.append(Float("spacing", 0.5, 3.0, default=1.0, log=True, grid=(0.7, 1.0, 1.5)))
    if any(SOLVERS[name].eta for name in names):
        axes.append(Float("eta", 0.0, 1.0, default=0.0, grid=(0.0,)))
    if len(names) > 1:
        coarse = tuple(name for name in ("dpmpp_2m", "ddim") if name in names)
        axes.append(Choice("solver", names, default=names[0], grid=coarse or names[:1]))
    return Space(tuple(axes))


def solvers(o: SamplingMaker) -> tuple[str, ...]:
    """Those that a search may choose, the default first. Raises UsageError."""
    if not o.solvers:
        return tuple(SOLVERS)
    names = tuple(o.solvers.split(","))
    if len(set(names)) < len(names) or not set(names) <= set(SOLVERS):
        raise UsageError(
            f"option sampling.solvers: expected names among {', '.join(SOLVERS)}, each once, with "
            f"commas between them, got {o.solvers!r}"
        )
    return names


def plan(o: SamplingMaker, at: Space, lam: Lam) -> Plan:
    """At most o.evaluations calls of the network; two-call solvers use one less of an even number.

    at: the search space of o.  Raises ValueError outside the cube.
    """
    numbers = at.numbers(lam)
    name = at.texts(lam).get("solver", solvers(o)[0])
    solver = SOLVERS[name]
    steps = solver.steps(o.evaluations)
    calls = solver.calls * steps - (solver.calls - 1)
    gaps = [v for key, v in numbers.items() if key.startswith(_GAP)]
    times = _by_gaps(steps, gaps) if gaps else _by_exponent(steps, numbers.get("spacing", 1.0))
    shares = overlap(calls, numbers["start"], numbers["stop"])
    return Plan(
        name,
        steps,
        timesteps(times) if solver.spaced else None,
        tuple(round(1 + (numbers["cfg"] - 1) * share, _DIGITS) for share in shares.tolist()),
        round(numbers["rescale"], _DIGITS),
        round(numbers.get("eta", 0.0), _DIGITS) if solver.eta else 0.0,
    )


def overlap(calls: int, start: float, stop: float) -> NDArray[np.float64]:
    """How much of each call lies between start and stop, shares of all, (calls,).

    A share of a call guides that call by less, so that F is continuous in both.
    """
    edges = np.arange(calls + 1) / calls
    within = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
    found: NDArray[np.float64] = np.clip(within * calls, 0.0, 1.0)
    return found


def _by_exponent(steps: int, spacing: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (1 - np.arange(steps) / steps) ** spacing
    return found


def _by_gaps(steps: int, gaps: list[float]) -> NDArray[np.float64]:
    """Linear between knots at equal shares of the steps, (steps,)."""
    falls = np.cumsum([0.0, *gaps]) / sum(gaps)
    found: NDArray[np.float64] = 1 - np.interp(
        np.arange(steps) / steps, np.linspace(0, 1, len(falls)), falls
    )
    return found


def trailing(steps: int) -> NDArray[np.float64]:
    """As diffusers computes them, which for some numbers is one more than asked for."""
    found: NDArray[np.float64] = np.arange(TRAINED, 0, -TRAINED / steps).round() - 1
    return found


def timesteps(times: NDArray[np.float64]) -> tuple[int, ...]:
    """Whole and falling, from shares of TRAINED that fall, (steps,)."""
    found: list[int] = []
    # from the end, where rounding makes neighbours equal
    for share in reversed(times.tolist()):
        t = max(0, round(share * TRAINED) - 1)
        found.append(max(t, found[-1] + 1) if found else t)
    # and again from the start, which no step may pass
    top = TRAINED
    for k in reversed(range(len(found))):
        top = found[k] = min(found[k], top - 1)
    return tuple(reversed(found))
