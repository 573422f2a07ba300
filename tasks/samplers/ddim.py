"""DDIM: eq. 12 and 16 of Song et al. 2021, arXiv 2010.02502."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.samplers.protocol import Level, Memory, Prediction, Span, root

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DDIM:
    """The paper's sampler, of first order; with eta > 0 it adds noise."""

    eta: float = 0.0

    def sigma(self, span: Span) -> Level:
        if not self.eta:
            return 0.0
        return self.eta * root((1 - span.to) / (1 - span.now) * (1 - span.now / span.to))

    def step(
        self,
        x: Tensor,
        prediction: Prediction,
        span: Span,
        noise: Tensor | None = None,
        memory: Memory = None,
    ) -> tuple[Tensor, Memory]:
        sigma = self.sigma(span)
        direction = root(1 - span.to - sigma**2)
        mean: Tensor = root(span.to) * prediction.x0 + direction * prediction.eps
        return (mean if noise is None else mean + sigma * noise), None
