"""A: several points one after the other; B: at once. A ratio B/A below 1 is a gain.

reward_ft: a guided step and F of k points through `step_many` and `loss_many`. noise_schedule: what
k networks of their own weights would take in one call, by torch's `vmap` over their weights: the
gradient of a training step, and one network call of sampling. It has no `step_many`, since B is the
slower one at its defaults.

Measured for seconds of the processor, of one thread, which other work disturbs least, and for
seconds of the clock with all threads. B/A [range] of 5 rounds, of one thread, on 2 shared cores:

    reward_ft, images a point              1 point      2 points     4 points     8 points
    32 (the default)                       1.00         0.97         1.09         1.08
                                      [.93, 1.03]  [.87, 1.02]  [1.02, 1.13] [1.02, 1.18]
    4                                      0.99         0.79         0.67         0.57
                                      [.92, 1.13]  [.76, .88]   [.66, .69]   [.49, .68]
    noise_schedule, images a network       1 network    2 networks   4 networks   8 networks
    128 trained (the default)              1.53         1.42         1.20         1.18
    512 sampled                            1.25         1.38         1.38         1.63
    32 trained                             1.73         1.27         0.97         0.80
    128 sampled                            1.28         1.23         1.19         1.11
    8 trained                              2.06         1.23         0.78         0.58
    32 sampled                             1.63         1.15         0.85         0.69

By the clock, with 2 threads on the loaded machine, `reward_ft` with 32 images had 0.96, 0.92, 0.85
and 0.92 (ranges up to [0.30, 1.13]) and `noise_schedule` at its defaults 1.63, 1.51, 1.18, 1.05
trained and 1.26, 1.50, 1.35, 1.57 sampled. No GPU was at hand.
"""

import math
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from speed.timing import ratio
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.diffusion import mix
from tasks.noise_schedule.task import NoiseScheduleTask
from tasks.noise_schedule.training import score_matching
from tasks.reward_ft import RewardFt, shipped

SIZES, ROUNDS = (1, 2, 4, 8), 5


def _guided(images: int, clock: Callable[[], float]) -> None:
    # a pass of two steps: more of them are more of the same
    options = RewardFt(images=images, steps=2, micro_batch=8 * images)
    task = options.open(0, shipped.PROMPTS[0], "guided", "cpu")
    start = task.init(0)
    for k in SIZES:
        lams, states = np.linspace(0.2, 0.8, k)[:, None], [start] * k

        def alone(states=states, lams=lams) -> None:  # type: ignore[no-untyped-def]
            for state, lam in zip(states, lams, strict=True):
                task.loss(task.step(state, lam), lam)

        def together(states=states, lams=lams) -> None:  # type: ignore[no-untyped-def]
            task.loss_many(task.step_many(states, lams), lams)  # type: ignore[attr-defined]

        print(f"reward_ft, {images} images a point, {k} points: ", end="", flush=True)
        ratio(alone, together, ROUNDS, clock)


def _networks(batch: int, clock: Callable[[], float]) -> None:
    task = NoiseScheduleTask(NoiseSchedule(batch=batch), 0, "cpu")
    s, model = task.sampling, task.sampling.model
    named = dict(model.network.named_parameters())
    images = s.batch(s.generator("batch", 0, 0))

    def raw(weights: Tensor, x: Tensor, level: Tensor) -> Tensor:
        parts = torch.split(weights, [p.numel() for p in named.values()])
        own = {n: w.view_as(p) for (n, p), w in zip(named.items(), parts, strict=True)}
        found: Tensor = functional_call(model.network, own, (x, 1000 * level)).sample
        return found

    def lower(weights: Tensor, abar: Tensor) -> Tensor:
        x = mix(images.x0, images.eps, abar)
        out = raw(weights, x, torch.acos(abar.sqrt()) * (2 / math.pi))
        return (out - images.eps).square().mean()

    for k in SIZES:
        lams = np.random.default_rng(0).random((k, s.space.dim))
        weights = torch.stack([model.fresh(seed) for seed in range(k)])
        tables = s.table(s.q(lams, s.choices.trained), s.o.time_steps + 1)
        x, level = torch.randn(k, 4 * batch, *s.shape), torch.rand(k, 4 * batch)

        def trained(weights=weights, tables=tables) -> None:  # type: ignore[no-untyped-def]
            for own, table in zip(weights, tables, strict=True):
                model.take(own)
                score_matching(model, images, table).backward()  # type: ignore[no-untyped-call]

        def sampled(weights=weights, x=x, level=level) -> None:  # type: ignore[no-untyped-def]
            for own, noise, at in zip(weights, x, level, strict=True):
                model.take(own)
                model.network(noise, 1000 * at)

        print(f"noise_schedule, training on {batch} images, {k} networks: ", end="", flush=True)
        ratio(
            trained, partial(vmap(grad(lower)), weights, tables[:, images.t].float()), ROUNDS, clock
        )
        with torch.no_grad():
            print(f"noise_schedule, {4 * batch} images sampled, {k} networks: ", end="", flush=True)
            ratio(sampled, partial(vmap(raw), weights, x, level), ROUNDS, clock)


def main() -> None:
    # torch says of attention that vmap takes one network after the other
    warnings.simplefilter("ignore")
    threads = torch.get_num_threads()
    for used, clock in ((1, time.process_time), (threads, time.perf_counter)):
        print(f"threads: {used}; seconds of {clock.__name__}")
        torch.set_num_threads(used)
        for images in (32, 4):
            _guided(images, clock)
        for batch in (128, 32, 8):
            _networks(batch, clock)
