"""Scheduler configurations at their boundaries: the numbers are those of diffusers' DDIM, or
planning refuses the run.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from tasks.reward_ft import shipped
from tasks.reward_ft.diffusion import draws
from tasks.reward_ft.form import Form
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.levels import plain
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.schedulers import read_config
from tasks.reward_ft.steps import Schedule, shortest
from tests.test_cli import bench
from tests.tiny import PROMPT, RUN, words

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
ZERO_SNR = {  # as published variants of Stable Diffusion 2.1 have it
    "_class_name": "DDIMScheduler",
    **BETAS,
    "num_train_timesteps": 1000,
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
    "steps_offset": 1,
}
EPSILON = ZERO_SNR | {"prediction_type": "epsilon", "rescale_betas_zero_snr": False}
CASES = {
    "zero terminal SNR": (ZERO_SNR, 5),
    "zero terminal SNR in one step": (ZERO_SNR, 1),
    "zero terminal SNR, linspace": (ZERO_SNR | {"timestep_spacing": "linspace"}, 4),
    "zero terminal SNR that is not reached": (
        ZERO_SNR | {"timestep_spacing": "leading", "prediction_type": "epsilon"},
        4,
    ),
    "v without it": (ZERO_SNR | {"rescale_betas_zero_snr": False}, 5),
    "one step": (EPSILON, 1),
    "every step": (EPSILON | {"num_train_timesteps": 12, "steps_offset": 0}, 12),
    "every step, alpha of step 0": (
        EPSILON | {"num_train_timesteps": 12, "steps_offset": 0, "set_alpha_to_one": False},
        12,
    ),
    "a step before the end": (  # the pipeline takes an offset of 1
        EPSILON | {"timestep_spacing": "leading", "set_alpha_to_one": False, "steps_offset": 3},
        3,
    ),
    "betas of a list": (
        {
            "_class_name": "DDIMScheduler",
            "trained_betas": [0.001 * k for k in range(1, 41)],
            "num_train_timesteps": 40,
            "clip_sample": False,
        },
        8,
    ),
}


def folder_of(tiny, tmp_path, config):
    folder = tmp_path / "sd"
    shutil.copytree(tiny.model, folder)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(
        json.dumps(index | {"scheduler": ["diffusers", config["_class_name"]]})
    )
    return folder


def of_diffusers(model, config, steps, eta, noise):
    """Images by diffusers' own scheduler, made from the file and not by us; unclipped, and with its
    pipeline's offset.
    """
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler.from_config(config, clip_sample=False, steps_offset=1)
    theirs.set_timesteps(steps)
    z = noise[0]
    with torch.no_grad():
        for k, t in enumerate(theirs.timesteps):
            out = model.eps(z, int(t), float("nan"), model.text(PROMPT), 7.5)
            z = theirs.step(out, int(t), z, eta=eta, variance_noise=noise[k + 1]).prev_sample
    return model.decode(z).clamp(0, 1)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("case", sorted(CASES))
def test_images_are_those_of_diffusers(case, eta, tiny, tmp_path):
    config, steps = CASES[case]
    model = load(folder_of(tiny, tmp_path, config), "cpu")
    noise = torch.stack([draws(seed, steps, model.latent_shape) for seed in (1, 2)], 1)
    sampler = Sampler(model, Schedule.of(model.scheduler, steps, eta), PROMPT, 7.5)
    ours, theirs = sampler((1, 2)).images, of_diffusers(model, config, steps, eta, noise)
    assert ours.std() > 1e-2
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("mode", ["tilt", "lookahead"])
def test_guidance_is_finite_without_terminal_snr(mode, eta, tiny, tmp_path):
    model = load(folder_of(tiny, tmp_path, ZERO_SNR), "cpu")
    schedule = Schedule.of(model.scheduler, 4, eta)
    assert schedule.abar[0] == 0
    assert schedule.guided == (False, True, True, eta == 0)
    sampler = Sampler(model, schedule, PROMPT, 7.5, mode)
    before = sampler((1, 2))
    after = sampler((1, 2), Linear.at(lambda x: 50 * x.mean((1, 2, 3)), before.images), 1.0)
    assert after.images.isfinite().all()
    assert after.kl.isfinite().all() or eta == 0
    assert (after.images - before.images).abs().max() > 1e-4


def test_a_guided_step_of_v_is_that_of_the_eps_it_stands_for():
    """The same model, change and noise, said in v and in eps."""
    from diffusers import DDIMScheduler

    by_v, by_eps = (
        Schedule.of(DDIMScheduler.from_config(c), 4, 1.0)
        for c in (ZERO_SNR | {"rescale_betas_zero_snr": False}, EPSILON)
    )
    rng = torch.Generator().manual_seed(0)
    for k in range(4):
        z, v, change, noise = (
            torch.randn(2, 4, 8, 8, generator=rng, dtype=torch.float64) for _ in range(4)
        )
        eps = by_v.abar[k] ** 0.5 * v + (1 - by_v.abar[k]) ** 0.5 * z
        one, _ = by_v.step(k, z, by_v.shifted(k, v, change), noise)
        other, _ = by_eps.step(k, z, by_eps.shifted(k, eps, change), noise)
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(by_v.predicted(k, z, v), by_eps.predicted(k, z, eps))


def test_the_warm_up_has_a_guided_step():
    from diffusers import DDIMScheduler

    assert len(shortest(DDIMScheduler.from_config(EPSILON), 1.0).t) == 1
    assert shortest(DDIMScheduler.from_config(ZERO_SNR), 1.0).guided == (False, True, False)


REFUSED = {
    "noise from noise": (
        ZERO_SNR | {"prediction_type": "epsilon"},
        "5",
        "t = 999 .*; set rescale_betas_zero_snr to",
    ),
    "nothing to guide": (
        ZERO_SNR,
        "2",
        r"reward_ft\.steps: 2 of this model's scheduler have no step .*; take 3 or more",
    ),
    "too many": (
        EPSILON | {"num_train_timesteps": 10},
        "11",
        r"reward_ft\.steps: 11 do not go with this model's scheduler",
    ),
    "a step before the first": (
        EPSILON,
        "61",
        r"reward_ft\.steps: 61 lead to t = -1 .*; take one more or less",
    ),
    "an unknown spacing": (EPSILON | {"timestep_spacing": "even"}, "5", "even is not supported"),
    "betas of another length": (
        EPSILON | {"trained_betas": [0.01] * 40},
        "5",
        "as many trained_betas as .* = 1000, got 40",
    ),
    "no noise": (
        EPSILON | {"beta_start": 0.0, "beta_end": 0.0},
        "5",
        r"noise that grows with t, got abar = 1 at t = 999",
    ),
    "a prediction of images": (
        EPSILON | {"prediction_type": "sample"},
        "5",
        "predicts 'sample'; expected",
    ),
    "thresholding": (EPSILON | {"thresholding": True}, "5", "clips the predicted image"),
}


@pytest.mark.parametrize("lower", ["importance", "guided"])
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_cannot_be_sampled_is_refused_while_planning(case, lower, tiny, tmp_path):
    config, steps, message = REFUSED[case]
    own = [f"model={folder_of(tiny, tmp_path, config)}", f"steps={steps}"]
    settings = [f"reward_ft.{s}" for s in [*tiny.settings, *own]]
    with pytest.raises(UsageError, match=message) as e:
        plan("default", "reward_ft", preset="paper", lower=lower, settings=settings)
    assert "\n" not in str(e.value)


def test_a_published_folder_runs(tiny, tmp_path):
    own = [*tiny.settings, f"model={folder_of(tiny, tmp_path, ZERO_SNR)}", "steps=3"]
    done = bench(
        *RUN, "--lower", "guided", "--budget", "60nfe", "--out", "runs", *words(own), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (run,) = Path(tmp_path).rglob("run.json")
    assert json.loads(run.read_text())["status"] in ("ok", "budget_exhausted")


@pytest.mark.parametrize(
    ("form", "decoding", "cure"),
    [
        ({}, False, "the run is in fp32"),
        ({"dtype": "bf16"}, False, "set --dtype fp32"),
        ({"dtype": "fp16"}, False, "set --dtype fp32, or --dtype bf16"),
        ({"dtype": "fp16"}, True, "the run is in fp32"),
        ({"decode_dtype": "bf16"}, True, "set --set reward_ft.decode_dtype=fp32"),
    ],
)
def test_advice_fits_what_was_set(form, decoding, cure, tiny):
    assert load(tiny.model, "cpu", Form(**form)).cure(decoding).startswith(cure)


SHIPPED = read_config(shipped.ASSETS / "model")
STEPS = [*range(1, 40), 99, 333, 500, 999, 1000]


@pytest.mark.parametrize(
    "change", [{}, {"set_alpha_to_one": True}, {"prediction_type": "v_prediction"}]
)
@pytest.mark.parametrize(("eta", "sampler"), [(0.0, "ddim"), (1.0, "ddim"), (0.0, "dpmpp_2m")])
def test_a_plans_time_steps_are_those_of_diffusers(change, eta, sampler):
    from diffusers import DDIMScheduler

    config = {**SHIPPED, **change}
    theirs = DDIMScheduler.from_config(config)
    for steps in STEPS:
        mine = Schedule.at(plain(config, steps), steps, eta, sampler)
        exact = Schedule.of(theirs, steps, eta, sampler)
        assert (mine.t, mine.guided, mine.v) == (exact.t, exact.guided, exact.v)
        for name in ("abar", "previous", "sigma"):
            assert getattr(mine, name) == pytest.approx(getattr(exact, name), rel=1e-4, abs=1e-6)


def test_what_a_plan_cannot_know_is_left_to_diffusers():
    assert plain(SHIPPED, 1001) is None
    for change in (
        {"beta_schedule": "linear"},
        {"rescale_betas_zero_snr": True},
        {"timestep_spacing": "leading"},
        {"_class_name": "PNDMScheduler"},
        {"beta_end": "0.012"},
        {"prediction_type": "sample"},
        {"of_a_later_version": 1},
    ):
        assert plain({**SHIPPED, **change}, 12) is None, change
