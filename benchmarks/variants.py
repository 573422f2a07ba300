"""A: F of the eight schedules of a central difference in one batched sampler call; B: one call each."""

from functools import partial

import numpy as np

from benchmarks.timing import ratio
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask


def main() -> None:
    for samples in (36, 128):
        task = NoiseScheduleTask(NoiseSchedule(grad_samples=max(samples, 33)), 0, "cpu")
        state, lams = task.init(0), np.random.default_rng(0).random((8, 4))
        distances = partial(task._distances, state.ema, task._noise(samples, task._generator("here")))
        print(f"{samples} samples a schedule, {task._o.steps} DDIM steps")
        ratio(partial(distances, lams), lambda f=distances, lams=lams: [f(lam[None]) for lam in lams], rounds=5)
