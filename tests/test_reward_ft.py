"""The embedded preset end to end, and a Stable Diffusion folder of other sizes through the same
loading code.
"""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import UsageError, run
from benchmark.budget import Budget
from benchmark.check import check_task
from benchmark.search.clock import Ledger
from benchmark.search.metered import Metered
from benchmark.store.store import Store
from methods.bilevel import Bilevel
from tasks.reward_ft import RewardFt, digits, drawing, embedded, shipped
from tasks.reward_ft.diffusion import Diffusion
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.importance import Weights, guard
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear
from tasks.reward_ft.steps import Schedule
from tests import reference
from tests.test_cli import ROOT, bench, environment

SMALL = RewardFt(steps=4, bank=64, images=4, test_images=6)
PROMPT = shipped.PROMPTS[0]


@pytest.fixture(scope="module")
def guided():
    return SMALL.open(0, PROMPT, "guided", "cpu")


@pytest.fixture(scope="module")
def importance():
    return SMALL.open(0, PROMPT, "importance", "cpu")


def test_both_solvers_conform():
    results = list(check_task("reward_ft"))
    assert len(results) >= 14
    assert [r for r in results if r[1]] == []


def test_images_do_not_depend_on_the_batch(guided):
    """G.3: alone, among others and in other micro-batches, unguided and guided, in both modes."""
    seeds = guided.seeds("x", 5)
    for mode in ("tilt", "lookahead"):
        whole = Sampler(
            guided.sampler.model, guided.sampler.schedule, PROMPT, 1.5, mode, 3.0, 1.0, 5
        )
        two = Sampler(guided.sampler.model, guided.sampler.schedule, PROMPT, 1.5, mode, 3.0, 1.0, 2)
        before = whole(seeds)
        reward = Linear.at(guided._networks.r2, before.images)
        together = whole(seeds, reward, 0.5)
        alone = whole(seeds[3:4], reward.part(slice(3, 4)), 0.5)
        assert (together.images - before.images).abs().max() > 0.05
        torch.testing.assert_close(together.images[3:4], alone.images, rtol=0, atol=1e-4)
        torch.testing.assert_close(
            two(seeds, reward, 0.5).images, together.images, rtol=0, atol=1e-4
        )
        torch.testing.assert_close(two(seeds).images, before.images, rtol=0, atol=1e-4)
        torch.testing.assert_close(together.kl[3:4], alone.kl, rtol=1e-3, atol=1e-6)


def test_network_evaluations_are_counted_where_they_happen(guided):
    model, n, steps = guided.sampler.model, 3, SMALL.steps
    before = model.nfe
    sampled = guided.sampler(guided.seeds("n", n))
    assert model.nfe - before == 2 * n * steps  # with and without the prompt
    before = model.nfe
    guided.sampler(guided.seeds("n", n), Linear.at(guided._networks.r2, sampled.images), 1.0)
    assert model.nfe - before == 3 * 2 * n * steps


def test_search_and_test_share_no_seed_and_runs_differ(guided, importance):
    test = set(guided.seeds("test", 1000))
    assert not test & set(guided.seeds("validation 0", 1000))
    assert not test & set(importance.seeds("bank 0", 1000))
    other = SMALL.open(1, PROMPT, "guided", "cpu")
    assert not test & set(other.seeds("test", 1000))


def test_importance_is_the_closed_form_on_its_bank(importance):
    state = importance.init(0)
    lam = importance.space.point({"lam": 2.0})
    y = importance.step(state, lam)
    assert isinstance(y, Weights)
    w = np.exp(y.bank.r2 / 2 - (y.bank.r2 / 2).max())
    np.testing.assert_allclose(y.w, w / w.sum(), rtol=1e-9)
    exact = reference.covariance_hypergradient(y.bank.r1, y.bank.r2, 2.0)
    pulled = importance.space.pullback(lam, {"lam": exact})
    for gamma, tolerance in ((1e4, 1e-2), (np.inf, 1e-5)):
        _, hyper = Bilevel(gamma=gamma).hypergradient(importance, state, lam)
        assert hyper[0] == pytest.approx(pulled[0], rel=tolerance)


def test_the_bank_is_sampled_and_rewarded_once(importance):
    metered = Metered(importance, Budget(1e6, "nfe"), Ledger())
    first = metered.states.inside(metered.init(0))
    assert metered.meter.nfe == 2 * SMALL.bank * SMALL.steps
    assert metered.states.inside(metered.init(0)) is first
    assert metered.meter.nfe == 2 * SMALL.bank * SMALL.steps


def test_below_the_guard_the_answer_is_the_guard(importance):
    """What is measured is the lam that the solver used, and the run says that it backed off."""
    state = importance.init(0)
    used = guard(state.bank, 0.01)
    low, at = (importance.test(state, importance.space.point({"lam": v})) for v in (0.01, used))
    assert used > 0.05
    assert low.metrics["lam_used"] == pytest.approx(used)
    assert low.metrics["ess"] == pytest.approx(state.bank.least_ess, rel=1e-3)
    assert low.metrics["clip"] == pytest.approx(at.metrics["clip"], abs=1e-3)
    assert importance.test(state, importance.space.point({"lam": 50.0})).metrics[
        "lam_used"
    ] == pytest.approx(50.0)


def test_real_pictures_place_a_number(guided):
    test = guided.test(guided.init(0), guided.space.default())
    (name,) = test.references
    assert name == "real pictures"
    found = test.references[name]
    assert set(found) == set(test.metrics)
    pictures = drawing.real(digits.parse(PROMPT), SMALL.test_images, seed=2027, split="train")
    measured = guided._networks.measure(pictures, guided._unguided).metrics
    assert found == {
        **measured,
        "clip": pytest.approx(100 * guided.r1(pictures).mean()),
        "reward": pytest.approx(guided.r2(pictures).mean()),
    }
    assert found["accuracy"] > 0.8
    assert guided.test(guided.init(0), guided.space.default()).references is test.references


def test_a_back_off_is_a_note_of_the_run(tmp_path):
    options = {"reward_ft": RewardFt.smallest}
    run("grid", "reward_ft", lower="importance", out=tmp_path, prompts=[PROMPT], options=options)
    (found,) = Store(tmp_path)
    assert found.done
    assert any("importance weights collapse" in note for note in found.run["notes"])


def test_guided_states_are_values_and_stronger_guidance_costs_more_kl(guided):
    lam = [guided.space.point({"lam": v}) for v in (10.0, 1.0)]
    unguided = guided.init(0)
    images = unguided.last.images.clone()
    weak, strong = (guided.step(unguided, at) for at in lam)
    assert torch.equal(unguided.last.images, images)
    assert 0 < weak.last.kl.mean() < strong.last.kl.mean()
    assert guided.r2(weak.last.images).mean() < guided.r2(strong.last.images).mean()
    tilted = guided.step(unguided, lam[1], 0.5)
    assert not torch.equal(tilted.last.images, strong.last.images)
    assert guided.r1(tilted.last.images).mean() > guided.r1(strong.last.images).mean()


def test_bilevel_runs_on_guided_sampling_too(guided):
    lam = guided.space.point({"lam": 2.0})
    state = guided.init(0)
    _, hyper = Bilevel(gamma=10.0).hypergradient(guided, state, lam)
    assert np.isfinite(hyper).all()
    assert hyper[0] != 0


def test_eta_zero_says_what_to_do():
    task = RewardFt(steps=2, eta=0.0, images=2).open(0, PROMPT, "guided", "cpu")
    state = task.init(0)
    with pytest.raises(ValueError, match=r"eta > 0.*lower importance"):
        task.grad(state, task.space.default())


def test_everything_is_frozen_and_prompts_are_embedded_once(guided):
    model = guided.sampler.model
    assert not any(p.requires_grad for p in (*model._unet.parameters(), *model._vae.parameters()))
    assert model._pipe.safety_checker is None
    assert model.text(PROMPT) is model.text(PROMPT)


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered", "no manifest"])
def test_damaged_weights_are_named_with_both_hashes(tmp_path, damage):
    folder = tmp_path / "assets"
    shutil.copytree(shipped.ASSETS, folder)
    path = folder / "judge.safetensors"
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "altered":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        (folder / "manifest.json").write_text("{")
    done = bench(
        "run",
        "--method",
        "default",
        "--task",
        "reward_ft",
        "--set",
        f"reward_ft.assets={folder}",
        "--out",
        "runs",
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    expected = (
        "manifest.json"
        if damage == "no manifest"
        else shipped.manifest(shipped.ASSETS)["judge.safetensors"]
    )
    assert expected in done.stderr
    assert not (tmp_path / "runs").exists()


def test_end_to_end_with_the_network_blocked(tmp_path):
    words = [
        "run",
        "--method",
        "bilevel,random",
        "--task",
        "reward_ft",
        "--budget",
        "1500nfe",
        "--prompt",
        PROMPT,
        "--out",
        "runs",
    ]
    for name, value in (("steps", 4), ("bank", 64), ("images", 4), ("test_images", 6)):
        words += ["--set", f"reward_ft.{name}={value}"]
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NETWORK USED" not in done.stderr
    table = pd.read_csv(tmp_path / "runs" / "report" / "table1.csv").set_index("method")
    assert table.loc["bilevel", "lower"] == "importance"
    assert table.loc["random", "lower"] == "guided"
    assert table.loc[["bilevel", "random"], ["fid", "clip", "accuracy", "time"]].notna().all().all()
    assert table.loc["real pictures", ["fid", "clip", "accuracy"]].notna().all()
    assert (tmp_path / "runs" / "report" / "samples.png").exists()
    assert (tmp_path / "runs" / "report" / "fid_against_clip.png").exists()


def test_the_shipped_model_draws_what_the_prompt_says():
    """A small version of the model card's measurement, on captions that training held out."""
    from tasks.reward_ft.recipe.finish import captions, unguided

    chosen = captions(12, True, np.random.default_rng(1))
    judge = embedded.judge(shipped.ASSETS, "cpu")
    right = [
        (embedded.judged(judge, images)[0] == torch.tensor([c.digit, c.ink, c.ground])).all(1)
        for c, images in zip(
            chosen, unguided(shipped.ASSETS, chosen, 4, 123, RewardFt()), strict=True
        )
    ]
    assert torch.cat(right).float().mean() >= 0.85


def test_shipped_files_are_small_and_hashed():
    listed = shipped.manifest(shipped.ASSETS)
    files = [
        p
        for p in shipped.ASSETS.rglob("*")
        if p.is_file() and p.name not in ("manifest.json", "MODEL_CARD.md")
    ]
    assert {str(p.relative_to(shipped.ASSETS)) for p in files} == set(listed)
    assert sum(p.stat().st_size for p in files) <= 10e6
    assert {p.suffix for p in files} == {".safetensors", ".json"}
    shipped.verify(shipped.ASSETS)


def test_splits_do_not_overlap_and_real_pictures_fit_their_prompt():
    total = sum(len(drawing.scans(s)[0]) for s in ("train", "validation", "test"))
    assert total == 1797
    judge = embedded.judge(shipped.ASSETS, "cpu")
    caption = digits.parse("a bold green two on a cyan background")
    images = drawing.real(caption, 64, seed=0)
    with torch.no_grad():
        seen = judge(images)
    low, high = digits.WEIGHTS["bold"]
    assert low < seen.weight.mean() < high
    assert (seen.digit.argmax(1) == 2).float().mean() > 0.9
    with pytest.raises(UsageError, match="at most one"):
        digits.parse("a thin bold red two on a cyan background")
    assert digits.parse(str(caption)) == caption


@pytest.fixture(scope="module")
def foreign_folder(tmp_path_factory):
    """A random Stable Diffusion folder of other sizes: 77 tokens, 3 levels, v-prediction, another
    scheduler class.
    """
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("sd")
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(
        shipped.ASSETS / "model" / "tokenizer", model_max_length=77
    )
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(
            latent_channels=4,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            sample_size=24,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=37,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=77,
            )
        ),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=12,
            block_out_channels=(8, 16),
            layers_per_block=1,
            cross_attention_dim=32,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        scheduler=PNDMScheduler(skip_prk_steps=True, prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def test_a_folder_of_other_sizes_runs_through_the_same_code(foreign_folder):
    load.cache_clear()
    model = load(foreign_folder, "cpu")
    load.cache_clear()
    assert isinstance(model, Diffusion)
    assert model.latent_shape == (4, 12, 12)
    assert model.text("a red seven").shape == (2, 77, 32)
    sampler = Sampler(model, Schedule.of(model.scheduler, 3, 1.0), "a red seven", 7.5)
    before = sampler((0, 1))
    assert before.images.shape == (2, 3, 24, 24)
    after = sampler((0, 1), Linear.at(lambda x: x.mean((1, 2, 3)), before.images), 0.01)
    assert not torch.equal(before.images, after.images)


def test_our_sampler_is_the_pipeline_of_diffusers():
    """The same latents through StableDiffusionPipeline itself, eta = 0."""
    model = load(shipped.ASSETS / "model", "cpu")
    seeds = (3, 4)
    ours = Sampler(model, Schedule.of(model.scheduler, 5, 0.0), PROMPT, 2.0)(seeds).images
    latents = torch.stack(
        [
            torch.randn(6, *model.latent_shape, generator=torch.Generator().manual_seed(s))[0]
            for s in seeds
        ]
    )
    pipe = model._pipe
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        [PROMPT] * 2, num_inference_steps=5, guidance_scale=2.0, latents=latents, output_type="pt"
    ).images
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-4)


def test_clip_preprocessing_agrees_with_open_clip_and_pil():
    """The differentiable one against open_clip's own transform on the same 8-bit pictures, at a
    size that is resized.
    """
    import open_clip
    from PIL import Image

    clip = embedded.clip(shipped.ASSETS, "cpu")
    transform = open_clip.image_transform(
        clip._size, is_train=False, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    pixels = (
        (drawing.real(digits.parse(PROMPT), 4, seed=1).permute(0, 2, 3, 1).numpy() * 255)
        .round()
        .astype(np.uint8)
    )
    big = [Image.fromarray(p).resize((96, 96), Image.Resampling.BICUBIC) for p in pixels]
    tensors = torch.stack(
        [torch.from_numpy(np.asarray(p).copy()).permute(2, 0, 1) / 255 for p in big]
    )
    ours = clip.of(PROMPT)(tensors)
    with torch.no_grad():
        text = clip._model.encode_text(clip._tokenize([PROMPT]), normalize=True)[0]
        theirs = (
            clip._model.encode_image(torch.stack([transform(p) for p in big]), normalize=True)
            @ text
        )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-2)


def test_the_recipe_runs_offline_and_its_result_is_a_preset(tmp_path):
    out = tmp_path / "preset"
    subprocess.run(
        [sys.executable, "-m", "tasks.reward_ft.recipe", str(out), "--quick"],
        check=True,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=300,
    )
    assert set(shipped.manifest(out)) == set(shipped.manifest(shipped.ASSETS))
    done = bench(
        "run",
        "--method",
        "default",
        "--task",
        "reward_ft",
        "--set",
        f"reward_ft.assets={out}",
        "--set",
        "reward_ft.steps=2",
        "--set",
        "reward_ft.images=2",
        "--set",
        "reward_ft.test_images=3",
        "--prompt",
        PROMPT,
        "--out",
        "runs",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
