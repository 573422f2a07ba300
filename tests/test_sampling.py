"""Task `sampling`: plans, the loop of diffusers' pipeline, F and its differences, `bench apply`."""

import json
import re

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import given
from hypothesis import strategies as st

from benchmark import UsageError, load_results
from benchmark.check import check_task
from benchmark.command.parse import plan_from_text
from benchmark.runs.forecast import Probe
from benchmark.store.store import read
from tasks.reward_ft import shipped
from tasks.sampling import SamplingMaker, captions
from tasks.sampling.controls import controls
from tasks.sampling.plan import Plan, overlap, plan, space, timesteps
from tasks.sampling.sampler import PlanSampler
from tasks.sampling.solvers import SOLVERS
from tests.test_cli import bench

SMALL = SamplingMaker(evaluations=4, images=12, test_images=6)
PROMPTS = ("a red seven on a white background", "a bold blue three on a yellow background")
BENT = {"cfg": 4.0, "start": 0.3, "stop": 0.8, "rescale": 0.4, "spacing": 1.4, "eta": 0.7}


@pytest.fixture(scope="module")
def task():
    return SMALL.open(0, "", "", "cpu")


def at(where, **values):
    return where.point({**where.native(where.default()), **values})


@given(
    st.lists(st.floats(0, 1), min_size=12, max_size=12),
    st.integers(2, 60),
    st.sampled_from([0, 6]),
)
def test_every_point_is_a_plan_that_can_be_sampled(cube, evaluations, knots):
    options = SamplingMaker(knots=min(knots, evaluations), evaluations=evaluations)
    where = space(options)
    found = plan(options, where, np.array(cube[: where.dim]))
    assert 0 <= evaluations - len(found.weights) <= (SOLVERS[found.solver].calls > 1)
    assert all(1 <= w <= 15 for w in found.weights)
    if SOLVERS[found.solver].spaced:
        assert len(found.timesteps) == found.steps
        assert found.timesteps[0] == 999
        assert list(found.timesteps) == sorted(set(found.timesteps), reverse=True)
        assert found.timesteps[-1] >= 0
    else:
        assert found.timesteps is None
    assert found.eta == 0 or found.solver == "ddim"


def test_the_default_is_trailing_with_guidance_throughout():
    options = SamplingMaker(cfg=3.0, evaluations=5)
    where = space(options)
    found = plan(options, where, where.default())
    assert found == Plan("dpmpp_2m", 5, (999, 799, 599, 399, 199), (3.0,) * 5)
    assert found.passes == 10


def test_equal_gaps_are_an_exponent_of_1_and_a_large_gap_has_few_steps():
    options = SamplingMaker(knots=4, evaluations=8)
    where = space(options)
    assert plan(options, where, where.default()).timesteps == tuple(range(999, 0, -125))
    lam = where.point({**where.native(where.default()), "gap_1": 10.0})
    falls = -np.diff([*plan(options, where, lam).timesteps, -1])
    # 10 of 13 parts of the fall lie in the first quarter of the steps
    assert falls[:2].sum() == pytest.approx(1000 * 10 / 13, abs=2)


@pytest.mark.parametrize(
    ("solvers", "names"),
    [
        ("euler", ["spacing"]),
        ("ddim", ["eta"]),
        ("deis,unipc", ["solver"]),
        ("unipc,euler,ddim", ["spacing", "eta", "solver"]),
    ],
)
def test_axes_that_do_nothing_for_the_chosen_solvers_are_left_out(solvers, names):
    options = SamplingMaker(solvers=solvers)
    where = space(options)
    assert [axis.name for axis in where.axes] == ["cfg", "start", "stop", "rescale", *names]
    found = plan(options, where, where.default())
    assert found.solver == solvers.split(",")[0]
    assert (found.timesteps is None) == (not SOLVERS[found.solver].spaced)


def test_time_steps_that_round_to_the_same_move_apart():
    assert timesteps(np.array([1.0, 0.0011, 0.001, 0.0009])) == (999, 2, 1, 0)
    assert timesteps(np.array([1.0, 0.9999, 0.9998])) == (999, 998, 997)


def test_guidance_is_shared_out_over_the_calls_of_an_interval():
    np.testing.assert_allclose(overlap(4, 0.0, 1.0), 1)
    np.testing.assert_allclose(overlap(4, 0.3, 0.8), [0, 0.8, 1, 0.2], atol=1e-12)
    assert not overlap(4, 0.7, 0.7).any()
    assert not overlap(4, 0.7, 0.2).any()


@pytest.fixture(scope="module")
def pipe():
    found = StableDiffusionPipeline.from_pretrained(
        shipped.ASSETS / "model",
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        use_safetensors=True,
        dtype=torch.float32,
    )
    found.set_progress_bar_config(disable=True)
    return found


def pasted(code, pipe, seed, prompt):
    names = {}
    exec(code, names)
    generator = torch.Generator().manual_seed(seed)
    return names["sample"](pipe, prompt, generator=generator, output_type="pt")[0]


@pytest.mark.parametrize("values", [{"cfg": 3.0}, BENT], ids=["constant", "interval"])
@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_pasted_code_gives_the_same_images_in_a_pipeline(solver, values, task, pipe):
    own = {**task.space.native(task.space.default()), **values, "solver": solver}
    code = SMALL.use(own).code
    assert ("callback_on_step_end" in code) == (values is BENT)
    ((_, (mine,)),) = task._sample([task.plan(task.space.point(own))], (5, 9), PROMPTS)
    for k, seed in enumerate((5, 9)):
        theirs = pasted(code, pipe, seed, PROMPTS[k])
        torch.testing.assert_close(mine[k], theirs, rtol=0, atol=1e-4)


def test_pasted_code_takes_what_a_pipeline_takes(task, pipe):
    code = SMALL.use({**task.space.native(task.space.default()), **BENT}).code
    names = {}
    exec(code, names)
    words = {
        "num_images_per_prompt": 2,
        "negative_prompt": "a thin black zero on a gray background",
    }

    def images(**more):
        generator = torch.Generator().manual_seed(0)
        return names["sample"](pipe, PROMPTS[0], generator=generator, output_type="pt", **more)

    two = images(**words)
    assert two.shape == (2, 3, 32, 32)
    plain = images(num_images_per_prompt=2)
    assert (two - plain).abs().max() > 1e-2


def test_a_pipeline_with_another_scheduler_gives_them_too(task, pipe):
    """As after an earlier paste: what that one set must not stay."""
    lam = at(task.space, **BENT, solver="deis")
    ((_, (mine,)),) = task._sample([task.plan(lam)], (5,), PROMPTS[:1])
    pasted(SMALL.use({**task.space.native(lam), "solver": "dpmpp_2m_sde"}).code, pipe, 1, "a red")
    theirs = pasted(SMALL.use(task.space.native(lam)).code, pipe, 5, PROMPTS[0])
    torch.testing.assert_close(mine[0], theirs, rtol=0, atol=1e-4)


def test_images_depend_neither_on_the_batch_nor_on_the_plans_beside_them(task):
    plans = [task.plan(at(task.space, cfg=c, solver="dpmpp_2m_sde")) for c in (1.0, 2.0, 4.0)]
    seeds, prompts = (1, 2, 3), (*PROMPTS, PROMPTS[0])
    ((_, together),) = task._sample(plans, seeds, prompts)
    narrow = PlanSampler(task.model, task.model.own_scheduler, 4)
    alone = [images for _, (images,) in narrow([plans[1]], seeds, prompts)]
    torch.testing.assert_close(together[1], torch.cat(alone), rtol=0, atol=1e-4)
    parts = [images[1] for _, images in narrow(plans, seeds, prompts)]
    assert len(parts) == 3
    torch.testing.assert_close(together[1], torch.cat(parts), rtol=0, atol=1e-4)
    single = PlanSampler(task.model, task.model.own_scheduler, 1)
    parts = [images[1] for _, images in single(plans, seeds, prompts)]
    torch.testing.assert_close(together[1], torch.cat(parts), rtol=0, atol=1e-4)


def test_passes_are_counted_where_there_is_guidance_and_never_more_than_their_price(task):
    prices = SMALL.prices("")
    for values in ({}, BENT, {"cfg": 1.0}, {"solver": "heun"}):
        lam = at(task.space, **values)
        before = task.nfe
        task.loss(0, lam)
        assert task.nfe - before == 12 * task.plan(lam).passes <= prices.loss
    before = task.nfe
    task.grad(0, at(task.space), 1.0)
    assert 0 < task.nfe - before <= prices.tilted_grad
    assert prices.horizon == 1
    state = task.init(3)
    assert task.unpack(task.pack(task.step(state, lam))) == state


def test_the_slope_is_a_difference_on_common_noise(task):
    lam = at(task.space, cfg=2.5, start=0.3, stop=0.7, rescale=0.5)
    state = 0
    found = task.grad(state, lam, 0.5)
    assert not task.grad(state, lam).any()
    names = [axis.name for axis in task.space.axes]
    assert found[names.index("solver")] == 0
    k, h = names.index("cfg"), 0.05 * np.eye(len(lam))[names.index("cfg")]
    by_hand = (task.loss(state, lam + h) - task.loss(state, lam - h)) / 0.1
    assert found[k] == pytest.approx(0.5 * by_hand, rel=1e-4)
    # eta belongs to ddim alone
    assert found[names.index("eta")] == pytest.approx(0, abs=1e-6)


def test_search_and_measurement_share_no_prompt():
    search, test = (captions.prompts(SMALL, half) for half in ("search", "test"))
    assert len(search) == len(test) == 100
    assert not set(search) & set(test)


def test_a_measurement_has_its_controls_beside_it(task):
    lam = at(task.space, cfg=3.0, stop=0.5)
    test = task.test(0, lam)
    assert set(test.metrics) == {"fid", "clip", "accuracy", "passes"}
    assert test.metrics["passes"] == 6
    assert set(test.references) == {"the model's own scheduler", "DPM++ 2M Karras", "real pictures"}
    assert test.images.shape == (6, 32, 32, 3)
    np.testing.assert_allclose(test.curves["guidance(call)"][1][[0, 100]], [3, 1])
    assert test.passport["fid_features"].startswith("judge ")


def test_controls_call_the_network_no_more_often_than_a_plan():
    from diffusers import PNDMScheduler

    config = PNDMScheduler(skip_prk_steps=True).config
    found = controls({**config, "_class_name": "PNDMScheduler"}, 10, 1.5)
    assert set(found) == {"the model's own scheduler", "DPM++ 2M Karras", "DPM++ 2M AYS"}
    assert all(len(p.weights) <= 10 for p in found.values())
    # PNDM's first step takes two calls
    assert found["the model's own scheduler"].steps == 9
    assert len(found["the model's own scheduler"].weights) == 10
    assert found["DPM++ 2M AYS"].timesteps[:2] == (999, 850)
    twice = controls({**config, "_class_name": "HeunDiscreteScheduler"}, 10, 1.5)
    assert twice["the model's own scheduler"].steps == 5
    assert len(twice["the model's own scheduler"].weights) == 9


def test_it_conforms():
    results = list(check_task("sampling"))
    assert len(results) >= 12
    assert [r for r in results if r[1]] == []


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder of one run of a small search."""
    cwd = tmp_path_factory.mktemp("ran")
    options = [f"sampling.{k}={v}" for k, v in SamplingMaker.smallest.items()]
    words = [w for o in options for w in ("--set", o)]
    done = bench(
        *["run", "--method", "random", "--task", "sampling", "--budget", "500nfe", "--marks="],
        *[*words, "--out", "runs", "--quiet"],
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    (found,) = (cwd / "runs").glob("*/*/*/run.json")
    return found.parent


def test_apply_prints_code_and_values(ran, task):
    code = bench("apply", ran, cwd=ran)
    assert code.returncode == 0, code.stderr
    values = bench("apply", ran, "--json", cwd=ran)
    found = json.loads(values.stdout)
    assert load_results(ran.parents[2]).kwargs() == [found]
    lam = read(ran).tests[-1]["lam"]
    smallest = SamplingMaker(**SamplingMaker.smallest)
    assert code.stdout == smallest.use(lam).code + "\n"
    assert found["weights"] == list(plan(smallest, task.space, task.space.point(lam)).weights)
    assert found["scheduler"] == SOLVERS[lam["solver"]].scheduler


def test_apply_of_what_has_no_use_is_refused(ran, tmp_path):
    bench(
        *["run", "--method", "random", "--task", "quadratic", "--budget", "100nfe", "--quiet"],
        *["--seeds", "0,1", "--out", "runs"],
        cwd=tmp_path,
    )
    one, other = sorted((tmp_path / "runs").glob("*/*/*"))
    for words, says in {
        (one,): r"task 'quadratic' does not say how its lam is used",
        ("runs",): r"runs: expected one run \(TASK/METHOD/RUN\), found 2; name its folder",
        ("nowhere",): r"nowhere",
    }.items():
        done = bench("apply", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert re.search(says, done.stderr)
        assert len(done.stderr.splitlines()) == 1
    assert other


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reference": "x.npz"}, "has real pictures of its own, got 'x.npz'"),
        ({"model": "sd"}, "expected clip, or --set sampling.reference=FOLDER"),
        ({"model": "sd", "objective": "clip"}, "option sampling.clip: expected one beside"),
        ({"clip": "ViT-B-32/openai"}, "option sampling.model: expected one beside"),
        ({"images": 1}, "option sampling.images: expected 2 or more for a Frechet distance, got 1"),
        ({"knots": 8, "evaluations": 5}, "option sampling.knots: expected at most sampling.eval"),
        ({"knots": 4, "solvers": "ddim,deis"}, "got 4 and ddim,deis; add one of dpmpp_2m, "),
        ({"solvers": "ddim,ddim"}, "option sampling.solvers: expected names among dpmpp_2m, "),
        ({"solvers": "ddim, euler"}, "with commas between them, got 'ddim, euler'"),
        ({"evaluations": 61}, "got 61; take one more or less"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        SamplingMaker(**options)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "expected a text file with a prompt a line, got .*none.txt: No such file"),
        ("a red seven on a white background\n\n", "expected 2 different prompts or more in .* 1;"),
        (f"{PROMPTS[0]}\na blue cat on a white background\n", "unknown word 'cat'"),
    ],
)
def test_prompts_of_a_file_are_read_while_planning(text, says, tmp_path):
    path = tmp_path / ("none.txt" if text is None else "own.txt")
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=says):
        SamplingMaker(prompts_file=str(path)).fingerprint()


def test_on_a_stable_diffusion_folder(tiny, tmp_path):
    (tmp_path / "own.txt").write_text("a castle\na horse\na train\na lamp\n")
    words = {
        "model": tiny.model,
        "clip": tiny.clip,
        "objective": "clip",
        "prompts_file": tmp_path / "own.txt",
        "evaluations": 3,
        "images": 2,
        "test_images": 2,
    }
    options = SamplingMaker(**{k: v if isinstance(v, int) else str(v) for k, v in words.items()})
    assert "prompts" in options.fingerprint()
    task = options.open(0, "", "", "cpu")
    lam = at(task.space, cfg=5.0, stop=0.6)
    state = 0
    assert -100 <= task.loss(state, lam) <= 0
    test = task.test(state, lam)
    assert set(test.metrics) == {"clip", "passes"}
    assert test.passport == {}
    assert set(test.references) == {"the model's own scheduler", "DPM++ 2M Karras"}


def test_a_forecast_times_f_where_nothing_else_takes_any():
    settings = [f"sampling.{k}={v}" for k, v in SamplingMaker.smallest.items()]
    (spec,) = plan_from_text("random", "sampling", budget="500nfe", settings=settings)
    found = Probe.of(spec, "cpu")
    assert found.rate > 1
    assert found.start[1] == 0
    assert found.fit[1] == 2 * 3 * 12
