"""Every network of the paper's preset: a tensor that no file holds, or that holds nan, is refused
by its name before any run.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from tests.test_cli import bench
from tests.test_paper_wrong import altered, edited, error_of
from tests.tiny import PROMPT, RUN, words


def begin(tiny, own, prompt=PROMPT):
    (spec,) = plan(
        "default",
        "reward_ft",
        preset="paper",
        settings=[f"reward_ft.{s}" for s in [*tiny.settings, *own]],
    )
    spec.maker().memory("cpu")
    return spec.maker().open(0, prompt, "guided", "cpu")


def copied(source, tmp_path):
    """A folder or a file for a test to damage."""
    goal = tmp_path / source.name
    (shutil.copytree if source.is_dir() else shutil.copy)(source, goal)
    return goal


NETWORKS = {  # by name: the option, its file or folder, and a tensor of it as the file has it
    "U-Net": ("model", lambda t: t.model, "unet/", "conv_out.weight"),
    "autoencoder": ("model", lambda t: t.model, "vae/", "decoder.conv_in.weight"),
    "text encoder": ("model", lambda t: t.model, "text_encoder/", "final_layer_norm.weight"),
    "tiny autoencoder": ("taesd", lambda t: t.taesd, "", "decoder.layers.0.weight"),
    "CLIP": ("clip", lambda t: t.clip, "", "visual.proj"),
    "reward": ("reward_weights", lambda t: t.resnet, "", "layer4.1.conv2.weight"),
    "Inception": ("inception", lambda t: t.inception, "", "Mixed_7c.branch1x1.conv.weight"),
}


def change(path, name, value):
    """Takes a tensor (its name may have something before it) out of a file or its shards and their
    index, or sets it.
    """
    if path.is_file():
        table = torch.load(path, weights_only=True)
        table.pop(name) if value is None else table[name].fill_(value)
        torch.save(table, path)
        return
    found = 0
    for shard in path.glob("*.safetensors"):
        table = load_file(shard)
        for own in [key for key in table if key.endswith(name) and "fp16" not in shard.name]:
            found += 1
            table[own] = table[own] if value is None else torch.full_like(table[own], value)
            if value is None:
                del table[own]
        save_file(table, shard, {"format": "pt"})
    for index in path.glob("*.index.json"):
        about = json.loads(index.read_text())
        about["weight_map"] = {
            k: v for k, v in about["weight_map"].items() if value is not None or k != name
        }
        index.write_text(json.dumps(about))
    assert found == 1


@pytest.mark.parametrize("value", [None, torch.nan, torch.inf])
@pytest.mark.parametrize("case", sorted(NETWORKS))
def test_a_tensor_that_is_missing_or_not_finite_is_named(case, value, tiny, tmp_path):
    option, source, part, name = NETWORKS[case]
    goal = copied(source(tiny), tmp_path)
    change(goal / part if part else goal, name, value)
    said = error_of(lambda: begin(tiny, [f"{option}={goal}"]))
    assert name in said
    assert value is None or "holds nan or inf" in said


@pytest.mark.parametrize(
    ("reward", "name"),
    [("aesthetic", "bias"), ("aesthetic", "visual.proj"), ("hpsv2", "visual.proj")],
)
def test_the_rewards_on_clip_too(reward, name, tiny, tmp_path):
    goal = copied(tiny.aesthetic, tmp_path)
    path = goal / ("head.safetensors" if name == "bias" else "open_clip_model.safetensors")
    save_file(load_file(path) | {name: torch.full_like(load_file(path)[name], torch.nan)}, path)
    assert f"{name} holds nan or inf" in error_of(
        lambda: begin(tiny, [f"reward={reward}", f"reward_weights={goal}"])
    )


CONFIGURATIONS = {
    "a guidance embedding": (
        edited("unet/config.json", time_cond_proj_dim=256),
        "expected no time_cond_proj_dim, got '256': a U-Net with inputs beyond time and prompt, "
        "which has guidance built in",
    ),
    "classes": (
        edited("unet/config.json", class_embed_type="timestep"),
        "expected no class_embed_type, got 'timestep'",
    ),
    "SDXL's sizes": (
        edited("unet/config.json", addition_embed_type="text_time"),
        "expected no addition_embed_type",
    ),
    "another text width": (
        edited("unet/config.json", cross_attention_dim=64),
        "cross_attention_dim 64 and text_encoder/",
    ),
    "a tokenizer without end": (
        edited("tokenizer/tokenizer_config.json", model_max_length=int(1e30)),
        "expected a model_max_length of 2 to 77, the text",
    ),
    "a tokenizer that does not say": (
        lambda f: (f / "tokenizer" / "tokenizer_config.json").write_text("{}"),
        "got None; write 77 there",
    ),
}


@pytest.mark.parametrize("case", sorted(CONFIGURATIONS))
def test_parts_that_do_not_go_together_are_refused_while_planning(case, tiny, tmp_path):
    edit, message = CONFIGURATIONS[case]
    settings = [
        f"reward_ft.{s}" for s in [*tiny.settings, f"model={altered(tiny, tmp_path, edit)}"]
    ]
    with pytest.raises(UsageError) as e:
        plan("default", "reward_ft", preset="paper", settings=settings)
    assert message in str(e.value)


def test_a_text_encoder_that_knows_fewer_tokens(tiny, tmp_path):
    folder = altered(tiny, tmp_path, edited("text_encoder/config.json", vocab_size=100))
    weights = folder / "text_encoder" / "model.safetensors"
    table = load_file(weights)
    name = "text_model.embeddings.token_embedding.weight"
    save_file(table | {name: table[name][:100].clone()}, weights, {"format": "pt"})
    assert "tokenizer has 120 tokens, text_encoder knows 100" in error_of(
        lambda: begin(tiny, [f"model={folder}"])
    )


def test_the_command_stores_nothing(tiny, tmp_path):
    folder = copied(tiny.model, tmp_path)
    change(folder / "unet", "conv_out.weight", None)
    done = bench(
        *RUN, *words([*tiny.settings, f"model={folder}"]), "--quiet", "--out", "runs", cwd=tmp_path
    )
    assert done.returncode == 2
    assert (
        "unet has no tensor conv_out.weight; expected (4, 8, 3, 3)"
        in done.stderr.strip().splitlines()[-1]
    )
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "runs").rglob("run.json"))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ([16, 16], ""),
        ([16, 24], "expected one sample_size for both sides, got [16, 24]; set reward_ft.size"),
        (None, "expected one sample_size for both sides, got [None, None]"),
    ],
)
def test_a_sample_size_of_two_sides(own, message, tiny, tmp_path):
    folder = altered(tiny, tmp_path, edited("unet/config.json", sample_size=own))
    edited("vae/config.json", sample_size=[32, 32])(folder)
    if message:
        assert message in error_of(lambda: begin(tiny, [f"model={folder}"]))
        assert begin(tiny, [f"model={folder}", "size=32"]).model.latent_shape == (4, 16, 16)
    else:
        assert begin(tiny, [f"model={folder}"]).model.latent_shape == (4, 16, 16)


def test_weights_in_torch_s_own_format_get_a_hint_that_helps(tiny, tmp_path):
    """What the hint says is done, and the result runs."""
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

    folder = copied(tiny.model, tmp_path)
    for path in (folder / "unet").glob("diffusion*"):
        path.unlink()
    UNet2DConditionModel.from_pretrained(tiny.model / "unet").save_pretrained(
        folder / "unet", safe_serialization=False
    )
    said = error_of(lambda: begin(tiny, [f"model={folder}"]))
    assert (
        "expected safetensors, got diffusion_pytorch_model.bin; convert it with diffusers' "
        "StableDiffusionPipeline" in said
    )
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None
    )
    pipe.save_pretrained(tmp_path / "another")
    begin(tiny, [f"model={tmp_path / 'another'}"])
    shutil.copytree(tiny.clip, tmp_path / "clip")
    Path.rename(
        tmp_path / "clip" / "open_clip_model.safetensors",
        tmp_path / "clip" / "open_clip_pytorch_model.bin",
    )
    assert "got open_clip_pytorch_model.bin; convert it with safetensors" in error_of(
        lambda: begin(tiny, [f"clip={tmp_path / 'clip'}"])
    )
