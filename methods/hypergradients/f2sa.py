"""F2SA, a fully first-order method with a growing penalty (Kwon et al. 2023, arXiv 2301.10945).

As Algorithm 1 of `bilevel`, with two differences: z is not forked from y but goes on from the z
before it, so that it nears the minimum of G + F/gamma over the whole search instead of by steps_z
steps, and gamma grows as k^growth with the steps on lam, so that the 1/gamma bias ends. y and z
take as many steps on the same draws. The waist has all of it: there is no second derivative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.errors import UsageError
from benchmark.fitting import advance
from benchmark.options import option
from benchmark.protocol import Problem, S
from benchmark.space import Lam
from methods.hypergradients.descent import Descent, Estimate


@dataclass(frozen=True)
class F2SA(Descent):
    """Advance y on G and z on G + F/gamma, each from where it was, while gamma grows."""

    gamma: float = option(
        10.0, "penalty constant of the first step on lam (the presets' gamma of bilevel)", low=1e-6
    )
    growth: float = option(
        1 / 3,
        "exponent of gamma's growth (Kwon et al., without noise; 1/7 with)",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.control != "none":
            raise UsageError(
                f"option f2sa.control: expected none, got {self.control!r}: its z goes on from one "
                "step on lam to the next and cannot be taken back"
            )

    @property
    def window(self) -> int:
        return 1

    def estimator(self, problem: Problem[S], rng: np.random.Generator) -> Estimate[S]:
        z: S | None = None
        k = 0

        def estimate(y: S, lam: Lam) -> tuple[S, Lam]:
            nonlocal z, k
            k += 1
            gamma = self.gamma * k**self.growth
            steps = self.steps(problem.horizon)
            z = advance(problem, y if z is None else z, lam, steps, 1 / gamma)
            y = advance(problem, y, lam, steps)
            hyper = gamma * (problem.grad(z, lam, 1 / gamma) - problem.grad(y, lam))
            if not np.all(np.isfinite(hyper)):
                z = None  # it may have diverged, and would stay so
            return y, hyper

        return estimate
