"""A: forward, backward and AdamW alone on one batch; B: one training step of noise_schedule.

B also draws its batch, computes its schedule and returns a new state. Target: B/A at most 1.15.
"""

import torch

from speed.timing import ratio
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.task import NoiseScheduleTask


def main() -> None:
    task = NoiseScheduleTask(NoiseSchedule(), 0, "cpu")
    lam, state = task.space.default(), task.init(0)
    batch = task.sampling.batch(task.sampling.generator("batch", 0, 0))
    table = task.sampling.table(task.sampling.q(lam[None], task.sampling.choices.trained)[0], 1001)
    abar = table[batch.t].float()
    level = 1000 * torch.acos(abar.sqrt()) * 2 / torch.pi
    # with parameters of their own, as a user's network has them, not views of one vector
    network = NoiseScheduleTask(NoiseSchedule(), 0, "cpu").sampling.model.network
    plain = [p.detach().clone().requires_grad_() for p in network.parameters()]
    for p, copy in zip(network.parameters(), plain, strict=True):
        p.data, p.grad = copy.data, None
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    a = abar.view(-1, 1, 1, 1)
    noisy = a.sqrt() * batch.x0 + (1 - a).sqrt() * batch.eps

    def alone() -> None:
        optimizer.zero_grad()
        ((network(noisy, level).sample - batch.eps) ** 2).mean().backward()
        optimizer.step()

    def ours() -> None:
        task.step(state, lam)

    ratio(alone, ours, rounds=31)
