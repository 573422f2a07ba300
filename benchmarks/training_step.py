"""A: forward, backward and AdamW alone on the same batch; B: one training step of noise_schedule, which draws its batch,
computes its schedule and returns a new state. Target: B/A at most 1.15.
"""

import torch

from benchmarks.timing import ratio
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask


def main() -> None:
    task = NoiseScheduleTask(NoiseSchedule(), 0, "cpu")
    lam, state = task.space.default(), task.init(0)
    batch, table = task._batch(task._generator("batch", 0, 0)), task._table(task._q(lam[None])[0], 1001)
    abar = table[batch.t].float()
    told = 1000 * torch.acos(abar.sqrt()) * 2 / torch.pi
    network = NoiseScheduleTask(NoiseSchedule(), 0, "cpu")._model.network
    plain = [p.detach().clone().requires_grad_() for p in network.parameters()]
    for p, copy in zip(network.parameters(), plain, strict=True):
        p.data, p.grad = copy.data, None
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    a = abar.view(-1, 1, 1, 1)
    noisy = a.sqrt() * batch.x0 + (1 - a).sqrt() * batch.eps

    def alone() -> None:
        optimizer.zero_grad()
        ((network(noisy, told).sample - batch.eps) ** 2).mean().backward()
        optimizer.step()

    def ours() -> None:
        task.step(state, lam)

    ratio(alone, ours, rounds=31)
