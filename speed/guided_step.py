"""A: forward and backward of U-Net and decoder alone; B: a guided step. Target: B/A at most 1.2."""

import torch

from speed.timing import ratio
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.pull import Linear


def main() -> None:
    task = RewardFt().open(0, shipped.PROMPTS[0], "guided", "cpu")
    model, sampler, n = task.model, task.sampler, 32
    seeds = task.seeds("speed", n)
    reward = Linear.at(task._networks.r2, task.sampler(seeds).images)
    text = model.text(shipped.PROMPTS[0])
    z = torch.randn(n, *model.latent_shape, generator=torch.Generator().manual_seed(0))
    t, abar, steps = sampler.schedule.t[5], sampler.schedule.abar[5], len(sampler.schedule.t)
    twice = text.repeat_interleave(n, 0)

    def networks() -> None:
        for _ in range(steps):
            with torch.enable_grad():
                x = z.clone().requires_grad_()
                eps = model._unet(torch.cat([x, x]), t, encoder_hidden_states=twice).sample
                images = model._vae.decode(x - eps[:n] + eps[n:]).sample
                torch.autograd.grad(images.sum(), x)

    def guided() -> None:
        sampler(seeds, reward, 1.0)

    print(
        f"{n} images, {steps} steps; B also draws its noise and decodes its final images; abar "
        f"{abar:.2f}"
    )
    ratio(networks, guided, rounds=7)
