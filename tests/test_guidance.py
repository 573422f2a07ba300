"""G.2 and G.3: guided sampling against closed forms on exact scores, and images that do not depend
on each other.
"""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from tasks.reward_ft import RewardFt
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.recipe import parts
from tasks.reward_ft.steps import Schedule
from tests import reference

SCHEDULER = DDIMScheduler(
    beta_start=0.0001,
    beta_end=0.02,
    clip_sample=False,
    set_alpha_to_one=True,
    timestep_spacing="trailing",
)


class Mixture:
    """The exact noise prediction of a mixture of Gaussians (weights, means, one deviation) in one
    dimension.
    """

    latent_shape = (1, 1, 1)
    device = torch.device("cpu")

    def __init__(self, weights, means, deviation):
        self.weights, self.means, self.deviation = (
            torch.tensor(weights),
            torch.tensor(means),
            deviation,
        )

    def text(self, prompt):
        return torch.zeros(2, 1, 1)

    def eps(self, z, t, abar, text, cfg):
        variance = abar * self.deviation**2 + 1 - abar
        away = z - abar**0.5 * self.means  # (N, 1, 1, K)
        share = torch.softmax(self.weights.log() - away**2 / (2 * variance), -1)
        return (1 - abar) ** 0.5 * (share * away).sum(-1, keepdim=True) / variance

    def decode(self, z):
        return z

    look_ahead = decode


class Unclamped(Sampler):
    """Pictures are clamped to [0, 1]; a closed form needs the latents."""

    def latents(self, n, reward=None, lam=1.0):
        seen = {}
        keep = self.model.decode
        self.model.decode = lambda z: seen.update(z=z) or keep(z)
        try:
            found = self(tuple(range(n)), reward, lam)
        finally:
            self.model.decode = keep
        return seen["z"].flatten().double().numpy(), found.kl.numpy()


def sampler(model, steps, eta, **kw):
    return Unclamped(model, Schedule.of(SCHEDULER, steps, eta), "", 1.0, micro_batch=100_000, **kw)


def linear(n, slope):
    return Linear(torch.full((n, 1, 1, 1), float(slope)), torch.zeros(n))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_unguided_sampling_gives_the_gaussian(eta):
    z, kl = sampler(Mixture([1.0], [0.4], 0.3), 1000, eta).latents(4000)
    assert z.mean() == pytest.approx(0.4, abs=4 * 0.3 / 4000**0.5)
    assert z.std() == pytest.approx(0.3, rel=0.05)
    assert not kl.any()


def test_unguided_sampling_gives_the_mixture():
    z, _ = sampler(Mixture([0.3, 0.7], [-1.0, 0.8], 0.15), 1000, 1.0).latents(4000)
    left = z < 0
    assert left.mean() == pytest.approx(0.3, abs=0.03)
    assert z[left].mean() == pytest.approx(-1.0, abs=0.03)
    assert z[~left].std() == pytest.approx(0.15, rel=0.1)


@pytest.mark.parametrize("lam", [0.25, 1.0])
def test_tilt_is_exact_on_a_gaussian(lam):
    """p* = N(mu + s^2 c/lam, s^2), and the path KL is KL(p* || p_data) = s^2 c^2/(2 lam^2)."""
    s, c, n = 0.5, 0.8, 3000
    z, kl = sampler(Mixture([1.0], [0.2], s), 1000, 1.0).latents(n, linear(n, c), lam)
    shift = s**2 * c / lam
    assert z.mean() == pytest.approx(0.2 + shift, abs=4 * s / n**0.5 + 0.02 * shift)
    assert z.std() == pytest.approx(s, rel=0.06)
    assert kl.mean() == pytest.approx(s**2 * c**2 / (2 * lam**2), rel=0.05)


@pytest.mark.parametrize("eta", [0.5, 1.0])
@pytest.mark.parametrize(
    "scheduler", [SCHEDULER, parts.make_scheduler()], ids=["no noise last", "the shipped model's"]
)
@pytest.mark.parametrize("steps", [RewardFt().steps, 1000])
def test_guided_sampling_is_the_recursion_of_its_own_steps(steps, scheduler, eta):
    """At few steps neither the samples nor the path KL are those of the closed form, but these."""
    schedule, n, (mean, s, slope, lam) = (
        Schedule.of(scheduler, steps, eta),
        3000,
        (0.2, 0.5, 0.8, 0.5),
    )
    model = Unclamped(Mixture([1.0], [mean], s), schedule, "", 1.0, micro_batch=100_000)
    for reward, c in ((None, 0.0), (linear(n, slope), slope)):
        z, kl = model.latents(n, reward, lam)
        m, v, path = reference.gaussian_ddim(mean, s, schedule.abar, schedule.previous, eta, c, lam)
        assert z.mean() == pytest.approx(m, abs=4 * (v / n) ** 0.5)
        assert z.std() == pytest.approx(v**0.5, rel=4 / (2 * n) ** 0.5)
        np.testing.assert_allclose(kl, path, rtol=1e-3)


def test_the_recursion_comes_to_the_closed_form_with_many_steps():
    mean, s, slope, lam = 0.2, 0.5, 0.8, 0.5
    errors = []
    for steps in (RewardFt().steps, 100, 1000):
        schedule = Schedule.of(SCHEDULER, steps, 1.0)
        m, v, kl = reference.gaussian_ddim(
            mean, s, schedule.abar, schedule.previous, 1.0, slope, lam
        )
        errors.append(
            [m - mean - s**2 * slope / lam, v**0.5 - s, kl - s**2 * slope**2 / (2 * lam**2)]
        )
    relative = np.abs(errors) / [s**2 * slope / lam, s, s**2 * slope**2 / (2 * lam**2)]
    assert (relative[-1] < [0.001, 0.01, 0.02]).all()
    assert (relative[0] > 5 * relative[-1]).all()


def test_what_the_default_number_of_steps_costs():
    """The figures that Sampled says of N(0, 1) with the reward x at lam = 1, where the closed form
    has 1 and 1/2.
    """
    for scheduler, deviation, ratio in (
        (SCHEDULER, 0.77, 1.68),
        (parts.make_scheduler(), 0.83, 9.5),
    ):
        schedule = Schedule.of(scheduler, RewardFt().steps, 1.0)
        _, v, kl = reference.gaussian_ddim(0.0, 1.0, schedule.abar, schedule.previous, 1.0, 1.0)
        assert v**0.5 == pytest.approx(deviation, abs=0.005)
        assert kl / 0.5 == pytest.approx(ratio, rel=0.005)


def test_weak_tilt_of_a_mixture_moves_the_mean_by_the_variance():
    """E_{p*}[x] - E[x] = Var(x) c/lam + O(1/lam^2), with the same seeds on both sides."""
    model, n, lam = Mixture([0.5, 0.5], [-0.6, 0.6], 0.3), 4000, 20.0
    before, _ = sampler(model, 250, 1.0).latents(n)
    after, _ = sampler(model, 250, 1.0).latents(n, linear(n, 1.0), lam)
    assert (after - before).mean() == pytest.approx((0.6**2 + 0.3**2) / lam, rel=0.15)


def test_lookahead_weighs_by_the_distance_to_the_target():
    """With r_hat constant to first order, lookahead at lam is tilt at lam/(guidance (target -
    r_hat)).
    """
    model, n = Mixture([1.0], [0.2], 0.1), 200
    flat = Linear(torch.full((n, 1, 1, 1), 1e-3), torch.full((n,), 2.0))
    paper, _ = sampler(model, 100, 1.0, mode="lookahead", target=10.0, guidance=0.5).latents(
        n, flat, 1e-3
    )
    tilt, _ = sampler(model, 100, 1.0).latents(n, flat, 1e-3 / (0.5 * 8.0))
    plain, _ = sampler(model, 100, 1.0).latents(n)
    assert np.abs(tilt - plain).min() > 1e-2
    np.testing.assert_allclose(paper, tilt, rtol=1e-3)


def test_eta_zero_has_no_finite_path_kl():
    _, kl = sampler(Mixture([1.0], [0.2], 0.3), 20, 0.0).latents(4, linear(4, 1.0), 1.0)
    assert np.isinf(kl).all()


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_step_agrees_with_diffusers_and_with_numpy(eta, spacing):
    scheduler = DDIMScheduler.from_config(
        SCHEDULER.config, timestep_spacing=spacing, steps_offset=0
    )
    schedule = Schedule.of(scheduler, 20, eta)
    rng = torch.Generator().manual_seed(0)
    z, eps, noise = (torch.randn(2, 4, 8, 8, generator=rng) for _ in range(3))
    for k, t in enumerate(schedule.t):
        ours, _ = schedule.step(k, z, eps, noise)
        theirs = scheduler.step(eps, t, z, eta=eta, variance_noise=noise).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        slow = reference.ddim_step(
            *(v.double().numpy() for v in (z, eps, noise)),
            schedule.abar[k],
            schedule.previous[k],
            eta,
        )
        np.testing.assert_allclose(ours.numpy(), slow, rtol=1e-4, atol=1e-4)


def test_linear_model_touches_the_reward():
    x = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(1))

    def reward(images):
        return images.square().sum((1, 2, 3))

    model = Linear.at(reward, x)
    torch.testing.assert_close(model(x), reward(x))
    torch.testing.assert_close(model.g, 2 * x)


def test_numbers_that_run_away_are_nan_and_stay_with_their_image():
    slope = torch.tensor([float("nan"), 1.0])[:, None, None, None]
    found = sampler(Mixture([1.0], [0.2], 0.3), 5, 1.0)((0, 1), Linear(slope, torch.zeros(2)), 1.0)
    assert torch.isnan(found.images[0]).all()
    assert torch.isfinite(found.images[1]).all()


@pytest.mark.parametrize("most", [0.05, 0.5, 5.0])
def test_no_image_passes_the_bound_on_its_path_kl(most, caplog):
    model, n, lam = Mixture([1.0], [0.2], 0.3), 200, 0.02
    plain, _ = sampler(model, 50, 1.0).latents(n)
    free, wide = sampler(model, 50, 1.0).latents(n, linear(n, 1.0), lam)
    held, kl = sampler(model, 50, 1.0, most_kl=most).latents(n, linear(n, 1.0), lam)
    assert wide.min() > 2 * most
    assert kl.max() == pytest.approx(most, rel=1e-5)
    # guidance keeps its sign, and is weaker
    assert (plain < held).all()
    assert (held < free).all()
    (note,) = (m for m in caplog.messages if "held back" in m)
    assert note == f"guidance held back in 200 of 200 images, by a path KL of at most {most:g} nats"


def test_a_bound_that_is_not_reached_changes_nothing(caplog):
    model, n = Mixture([1.0], [0.2], 0.3), 50
    free, kl = sampler(model, 20, 1.0).latents(n, linear(n, 1.0), 1.0)
    held, same = sampler(model, 20, 1.0, most_kl=20 * 20 * kl.max()).latents(n, linear(n, 1.0), 1.0)
    np.testing.assert_array_equal(free, held)
    np.testing.assert_array_equal(kl, same)
    assert "held back" not in caplog.text
