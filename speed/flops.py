"""What share of the arithmetic "evaluations" leave out, on the embedded presets.

All floating-point operations of a request against those of the passes that are counted, both by
torch's FlopCounterMode (products and convolutions).
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.guided_task import GuidedTask
from tasks.reward_ft.importance_task import Importance


class _Everywhere(nullcontext[None]):
    """A tracker of modules that knows one module, the global one."""

    # the counter's own breaks where a leaf is differentiated
    parents = frozenset({"Global"})


def flops(work: Callable[[], object]) -> int:
    """Floating-point operations of some work."""
    # attention as plain products, since the counter knows no fused kernel of a CPU
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _Everywhere()  # type: ignore[assignment]
    with sdpa_kernel(SDPBackend.MATH), counter:
        work()
    return int(counter.get_total_flops())


def show(what: str, total: int, counted: int) -> None:
    print(
        f"{what}: {total / 1e9:.2f} GFLOP, {100 * (1 - counted / total):.1f} % not counted",
        flush=True,
    )


def reward_ft() -> None:
    options = RewardFt()
    prompt, n = shipped.PROMPTS[0], options.images
    guided, bank = (options.open(0, prompt, lower, "cpu") for lower in ("guided", "importance"))
    assert isinstance(guided, GuidedTask)
    assert isinstance(bank, Importance)
    model, steps = guided.sampler.model, options.steps
    z, text = torch.zeros(n, *model.latent_shape), model.text(prompt)

    def passes(differentiated: bool) -> None:
        """The U-Net's passes of one time step for n images."""
        with torch.set_grad_enabled(differentiated):
            x = z.clone().requires_grad_(differentiated)
            eps = model.eps(
                x, guided.sampler.schedule.t[0], guided.sampler.schedule.abar[0], text, options.cfg
            )
            if differentiated:
                torch.autograd.grad(eps.sum(), x)

    plain, slope = steps * flops(lambda: passes(False)), steps * flops(lambda: passes(True))
    print(f"a differentiated pass is {slope / plain:.2f} plain ones; evaluations say 3")
    lam = guided.space.default()
    state = guided.init(0)
    guided.r1(state.last.images)
    show("reward_ft guided, init", flops(lambda: guided.init(0)), plain)
    show("reward_ft guided, step", flops(lambda: guided.step(state, lam)), slope)
    show("reward_ft guided, tilted step", flops(lambda: guided.step(state, lam, 0.1)), slope)
    show("reward_ft guided, loss", flops(lambda: guided.loss(state, lam)), 0)
    show("reward_ft importance, init", flops(lambda: bank.init(0)), plain * options.bank // n)


def noise_schedule() -> None:
    task = NoiseScheduleTask(NoiseSchedule(), 0, "cpu")
    o, lam, state = task.sampling.o, task.space.default(), task.init(0)

    def passes(count: int) -> int:
        """The U-Net's plain passes for so many images."""
        x, level = torch.zeros(count, *task.sampling.shape), torch.full((count,), 0.5)
        with torch.no_grad():
            return flops(lambda: task.sampling.model.raw(x, level, level))

    def training() -> None:
        with torch.enable_grad():
            x, level = torch.zeros(o.batch, *task.sampling.shape), torch.full((o.batch,), 0.5)
            task.sampling.model.raw(x, level, level).sum().backward()

    trained, sampled = flops(training), passes(2 * o.grad_samples) * o.steps
    print(f"a pass that trains is {trained / passes(o.batch):.2f} plain ones; evaluations say 3")
    show("noise_schedule, step", flops(lambda: task.step(state, lam)), trained)
    show(
        "noise_schedule, tilted step", flops(lambda: task.step(state, lam, 0.1)), trained + sampled
    )
    show("noise_schedule, loss", flops(lambda: task.loss(state, lam)), passes(o.samples) * o.steps)
    extra = flops(lambda: task.grad(state, lam)) / passes(o.batch)
    print(f"noise_schedule, grad: {extra:.2f} plain passes of its batch; evaluations say 3")
    tilted = flops(lambda: task.grad(state, lam, 0.1)) - flops(lambda: task.grad(state, lam))
    show("noise_schedule, the difference of F in a tilted grad", tilted, sampled)


def main() -> None:
    reward_ft()
    noise_schedule()
