"""DPM-Solver++(2M): Algorithm 2 of Lu et al. 2022, arXiv 2211.01095."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.errors import UsageError
from tasks.samplers.ddim import DDIM
from tasks.samplers.protocol import Level, Memory, Prediction, Span, root

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DPMpp2M:
    """DPM-Solver++(2M), of second order and without noise."""

    eta: float = 0.0

    def __post_init__(self) -> None:
        if self.eta:
            raise UsageError(
                f"sampler dpmpp_2m: expected eta = 0, got {self.eta:g}: it adds no noise, so that "
                "guidance has no path KL; set reward_ft.eta=0, or reward_ft.sampler=ddim"
            )

    def sigma(self, span: Span) -> Level:
        return 0.0

    def step(
        self,
        x: Tensor,
        prediction: Prediction,
        span: Span,
        noise: Tensor | None = None,
        memory: Memory = None,
    ) -> tuple[Tensor, Memory]:
        """Memory: the x0 of the step before, and its length in lambda, half the log-SNR."""
        import torch

        x0, now, to = prediction.x0, _tensor(span.now), _tensor(span.to)
        h = (torch.logit(to) - torch.logit(now)) / 2
        # of first order, DPM-Solver++ is DDIM
        first, _ = DDIM().step(x, prediction, span)
        # the last step is the longest in lambda, too long to extrapolate x0 over
        if memory is None or span.last:
            return first, (x0, h)
        before, h_before = memory
        # two levels that are the same, as at a schedule's floor, give no slope to extrapolate along
        along = torch.where(h_before == 0, 0.0, h / (2 * h_before + (h_before == 0)))
        decay = root((1 - to) / to * now / (1 - now))  # exp(-h)
        return first + root(to) * (1 - decay) * along * (x0 - before), (x0, h)


def _tensor(level: Level) -> Tensor:
    import torch

    return level if isinstance(level, torch.Tensor) else torch.tensor(level, dtype=torch.float64)
