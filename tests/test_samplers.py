"""One step of a sampler serves both tasks: its numbers are those of the formulas before it and of
diffusers, and a plug-in may add another.
"""

import inspect
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.diffusion import mix, sample
from tasks.reward_ft import RewardFt, shipped
from tasks.reward_ft.steps import Schedule
from tasks.samplers.ddim import DDIM
from tasks.samplers.dpmpp_2m import DPMpp2M
from tasks.samplers.protocol import Prediction, Span, predicted, solver
from tests.test_cli import bench

TRAILING = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "trailing",
}
SCHEDULER = DDIMScheduler(**TRAILING, clip_sample=False, set_alpha_to_one=True)


def draws(*shape, count=3, dtype=torch.float32):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=rng, dtype=dtype) for _ in range(count)]


def by_one_product(z, eps, noise, abar, to, eta):
    """The step of reward_ft before: z and eps by one factor each."""
    sigma = eta * math.sqrt((1 - to) / (1 - abar) * (1 - abar / to))
    direction = max(0.0, 1 - to - sigma**2) ** 0.5
    factor = direction - (to * (1 - abar) / abar) ** 0.5
    return (to / abar) ** 0.5 * z + factor * eps + sigma * noise


@pytest.mark.parametrize(("dtype", "off"), [(torch.float64, 1e-12), (torch.float32, 4e-6)])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_is_the_step_of_reward_ft_before_up_to_rounding(eta, dtype, off):
    schedule = Schedule.of(SCHEDULER, 20, eta)
    z, eps, noise = draws(4, 4, 8, 8, dtype=dtype)
    for k, (abar, to) in enumerate(zip(schedule.abar, schedule.previous, strict=True)):
        found, _ = schedule.step(k, z, eps, noise)
        before = by_one_product(z, eps, noise, abar, to, eta)
        assert float((found - before).abs().max()) <= off * float(before.abs().max())
        factor = by_one_product(0.0, 1.0, 0.0, abar, to, eta)
        assert schedule.coefficient(k) == pytest.approx(factor, rel=1e-12)


def test_ddim_is_the_step_of_noise_schedule_before_to_the_last_bit():
    x, eps, x0 = draws(8, 1, 5, 5)
    now, to = torch.linspace(0.01, 0.8, 8), torch.linspace(0.2, 0.99, 8)
    span = Span(*(a.view(-1, 1, 1, 1) for a in (now, to)))
    found, memory = DDIM().step(x, Prediction(eps, x0), span)
    assert torch.equal(found, mix(x0, eps, to))
    assert memory is None


@pytest.mark.parametrize(("name", "eta"), [("ddim", 0.0), ("ddim", 0.7), ("dpmpp_2m", 0.0)])
def test_levels_of_each_image_are_those_of_one_image_at_a_time(name, eta):
    chosen = solver(name, eta)
    x, eps, noise = draws(5, 1, 3, 3, dtype=torch.float64)
    levels = torch.linspace(0.1, 0.9, 15, dtype=torch.float64).view(3, 5).T

    def two_steps(part, abar):
        """abar: (N, 3), or three floats."""
        now, middle, to = abar
        memory, found = None, x[part]
        for span in (Span(now, middle), Span(middle, to)):
            prediction = predicted(found, eps[part], span.now, v=False)
            found, memory = chosen.step(found, prediction, span, noise[part], memory)
        return found

    together = two_steps(slice(None), levels.T.reshape(3, 5, 1, 1, 1))
    alone = [two_steps(slice(k, k + 1), levels[k].tolist()) for k in range(5)]
    torch.testing.assert_close(together, torch.cat(alone))


def mixture(x, abar):
    """The exact noise prediction of an equal mixture of N(-0.6, 0.2^2) and N(0.6, 0.2^2)."""
    means = torch.tensor([-0.6, 0.6], dtype=x.dtype)
    variance = abar * 0.2**2 + 1 - abar
    away = x[..., None] - abar**0.5 * means
    share = torch.softmax(-(away**2) / (2 * variance), -1)
    return (1 - abar) ** 0.5 * (share * away).sum(-1) / variance


def ours(schedule, z):
    memory = None
    for k, abar in enumerate(schedule.abar):
        z, memory = schedule.step(k, z, mixture(z, abar), torch.zeros_like(z), memory)
    return z


@pytest.mark.parametrize("steps", [2, 5, 10, 20])
def test_dpmpp_2m_is_that_of_diffusers(steps):
    theirs = DPMSolverMultistepScheduler(**TRAILING, final_sigmas_type="zero")
    theirs.set_timesteps(steps)
    schedule = Schedule.of(SCHEDULER, steps, 0.0, "dpmpp_2m")
    assert schedule.t == tuple(theirs.timesteps.tolist())
    z, *_ = draws(64, 1, 4, 4, dtype=torch.float64)
    expected = z
    for t, abar in zip(theirs.timesteps, schedule.abar, strict=True):
        expected = theirs.step(mixture(expected, abar), t, expected).prev_sample
    found = ours(schedule, z)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    by_ddim = ours(Schedule.of(SCHEDULER, steps, 0.0), z)
    if steps > 2:  # with two there is no step between the first and the last
        assert float((by_ddim - found).abs().max()) > 1e-2


def test_dpmpp_2m_is_of_second_order_and_ddim_of_first():
    """On the exact predictor of N(0.3, 0.5^2), between two levels where the flow is known."""
    x, *_ = draws(64, 1, 1, 1, dtype=torch.float64)

    def deviation(abar):
        return (abar * 0.5**2 + 1 - abar) ** 0.5

    start, end = 0.05, 0.95

    def error(name, steps):
        half = torch.linspace(
            math.log(start / (1 - start)), math.log(end / (1 - end)), steps + 1, dtype=x.dtype
        )
        levels = torch.sigmoid(half).tolist()
        chosen, memory, z = solver(name), None, x
        for now, to in pairwise(levels):
            eps = (z - now**0.5 * 0.3) * (1 - now) ** 0.5 / deviation(now) ** 2
            span = Span(now, to)
            z, memory = chosen.step(z, predicted(z, eps, now, v=False), span, None, memory)
        exact = end**0.5 * 0.3 + (x - start**0.5 * 0.3) * deviation(end) / deviation(start)
        return float((z - exact).abs().max())

    for name, order in (("ddim", 1), ("dpmpp_2m", 2)):
        rate = math.log2(error(name, 400) / error(name, 800))
        assert rate == pytest.approx(order, abs=0.1), name


def test_the_default_leaves_identities_alone_and_another_is_another_run():
    for task, own in (("reward_ft", ["reward_ft.eta=0"]), ("noise_schedule", [])):
        one, same, other = (
            plan("default", task, settings=[*own, *more])[0]
            for more in ([], [f"{task}.sampler=ddim"], [f"{task}.sampler=dpmpp_2m"])
        )
        assert "sampler" not in one.task_options
        assert one.run_id == same.run_id != other.run_id


REFUSED = {
    "noise": (["sampler=dpmpp_2m"], "expected eta = 0, got 1: it adds no noise, .* no path KL"),
    "unknown": (["sampler=dppm_2m", "eta=0"], "unknown sampler 'dppm_2m'; did you mean 'dpmpp_2m'"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_sampler_that_cannot_be_is_refused_while_planning(case):
    settings, message = REFUSED[case]
    with pytest.raises(UsageError, match=message) as error:
        plan("default", "reward_ft", settings=[f"reward_ft.{s}" for s in settings])
    assert "\n" not in str(error.value)


def test_an_unknown_sampler_of_noise_schedule_is_refused():
    with pytest.raises(UsageError, match="unknown sampler 'heun'; known: ddim, dpmpp_2m"):
        NoiseSchedule(sampler="heun")


def test_dpmpp_2m_samples_in_both_tasks_and_its_path_kl_says_what_to_set():
    images = {}
    for name in ("ddim", "dpmpp_2m"):
        options = RewardFt(steps=4, eta=0.0, images=2, sampler=name)
        task = options.open(0, shipped.PROMPTS[0], "guided", "cpu")
        lam = task.space.point({"lam": 2.0})
        images[name] = task.step(task.init(0), lam).last.images
        with pytest.raises(ValueError, match=r"needs eta > 0.*sampler=ddim.*importance"):
            task.grad(task.init(0), lam)
    assert images["dpmpp_2m"].isfinite().all()
    assert float((images["ddim"] - images["dpmpp_2m"]).abs().max()) > 1e-2

    def loss(name):
        task = NoiseSchedule(horizon=2, steps=5, sampler=name).open(0, "", "", "cpu")
        return task.loss(task.init(0), task.space.default())

    assert math.isfinite(loss("dpmpp_2m"))
    assert loss("dpmpp_2m") != loss("ddim")


def test_clipped_samples_keep_the_noise_consistent_under_memory():
    def wild(x, abar, u):
        return torch.zeros_like(x), torch.full_like(x, 50.0)

    x, *_ = draws(3, 1, 2, 2)
    table = torch.linspace(0.01, 0.99, 5).expand(3, -1)
    found = sample(wild, x, table, torch.linspace(1, 0, 5), solver=solver("dpmpp_2m"))
    assert torch.equal(found, torch.ones_like(x))


PLUGIN = '''
from tasks.samplers.protocol import register_sampler
from tasks.samplers.ddim import DDIM

@register_sampler("{name}")
class Mine:
    """DDIM{what}."""
    def __init__(self, eta):
        self.ddim = DDIM(eta)
        {init}
    def sigma(self, span):
        return self.ddim.sigma(span)
    def step(self, x, prediction, span, noise, memory):
        moved, _ = self.ddim.step(x, prediction, span, noise)
        return moved, {memory}
'''
SMALL = ["steps=2", "passes=2", "images=2", "test_images=80", "micro_batch=16"]


def run_with(tmp_path, name, init="pass", memory="None"):
    text = PLUGIN.format(name=name, what=" again", init=init, memory=memory)
    (tmp_path / "mine.py").write_text(text)
    own = [f"reward_ft.{s}" for s in [*SMALL, f"sampler={name}"]]
    words = [w for s in own for w in ("--set", s)]
    asked = ["run", "--method", "default", "--task", "reward_ft", "--plugin", "mine.py"]
    asked += ["--prompt", "a bold blue three on a yellow background"]
    return bench(*asked, *words, "--budget", "40nfe", "--out", "runs", cwd=tmp_path)


def test_a_sampler_of_a_plug_in_runs_and_its_source_is_part_of_the_run(tmp_path):
    done = run_with(tmp_path, "mine")
    assert done.returncode == 0, done.stderr
    stored = [json.loads(p.read_text()) for p in Path(tmp_path).rglob("run.json")]
    assert stored
    for run in stored:
        assert run["spec"]["task_options"]["sampler"] == "mine"
        assert "sampler mine" in run["spec"]["fingerprint"]


def test_a_sampler_that_cannot_be_made_is_one_line(tmp_path):
    done = run_with(tmp_path, "mine", init="raise RuntimeError('no such thing')")
    assert done.returncode == 2
    assert "sampler 'mine' cannot be made with eta = 1: RuntimeError: no such thing" in done.stderr
    assert "Traceback" not in done.stderr


def test_noise_and_memory_do_not_go_together():
    class Both(DDIM):
        def step(self, x, prediction, span, noise=None, memory=None):
            return super().step(x, prediction, span, noise)[0], (x,)

    z, eps, noise = draws(2, 4, 8, 8)
    schedule = Schedule.of(SCHEDULER, 4, 1.0)
    object.__setattr__(schedule, "solver", Both(1.0))
    with pytest.raises(ValueError, match="Both: expected a step that adds noise to keep no memory"):
        schedule.step(0, z, eps, noise)


def test_the_code_of_every_built_in_sampler_is_part_of_a_tasks():
    """Else a run would keep its name where its sampler was edited."""
    from benchmark.plugins import sources

    for task, maker in (("reward_ft", RewardFt), ("noise_schedule", NoiseSchedule)):
        known = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sources, "_digest", lambda files, base, known=known: known.extend(files))
            sources.digest({Path(inspect.getsourcefile(maker))}, maker, None)
        names = {p.name for p in known if p.parent.name == "samplers"}
        assert {"protocol.py", "ddim.py", "dpmpp_2m.py"} <= names, task


def test_bench_list_shows_the_samplers(tmp_path):
    out = bench("list", cwd=tmp_path).stdout
    assert "ddim" in out
    assert "DPM-Solver++(2M)" in out


def test_dpmpp_2m_where_two_levels_are_the_same():
    """As at a schedule's floor: there is no slope to extrapolate along."""
    levels = torch.tensor([1e-4, 1e-4, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    x, memory = torch.ones(1, 1, 2, 2), None
    for k in range(3):
        found = Prediction(0.5 * x, 0.1 * x)
        x, memory = DPMpp2M().step(x, found, Span(levels[k], levels[k + 1], k == 2), None, memory)
    assert bool(torch.isfinite(x).all())
    (slope,) = torch.autograd.grad(x.sum(), levels)
    assert bool(torch.isfinite(slope).all())
