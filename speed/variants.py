"""A: F of the eight schedules of a central difference in one sampler call; B: one call each."""

from functools import partial

import numpy as np

from speed.timing import ratio
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask


def main() -> None:
    for samples in (36, 128):
        task = NoiseScheduleTask(NoiseSchedule(grad_samples=max(samples, 33)), 0, "cpu")
        state, lams = task.init(0), np.random.default_rng(0).random((8, 4))
        distances = partial(
            task.sampling.distances,
            state.ema,
            task.sampling.noise(samples, task.sampling.generator("here")),
        )
        print(f"{samples} samples a schedule, {task.sampling.o.steps} DDIM steps")
        ratio(
            partial(distances, lams),
            lambda f=distances, lams=lams: [f(lam[None]) for lam in lams],
            rounds=5,
        )
